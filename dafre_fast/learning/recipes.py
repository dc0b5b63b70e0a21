"""Recipes of training: every figure that decides what a model becomes."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from dafre_fast.core.settings.groups import Count, Share

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Angle = Annotated[float, Meta(ge=0, le=1.5)]


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides a model, besides the images. Each field is a flag of `train`, with its
    description as help; the defaults are what the recipes have in common.
    """

    colours: Annotated[Literal["colour", "grey"], Meta(description="Colours of the pictures.")]
    side: Annotated[int, Meta(ge=16, description="Side of the pictures, in pixels.")] = 128
    stem: Annotated[
        Literal["3x3", "7x7"],
        Meta(description="First convolution; 3x3 sees more and costs twice as much."),
    ] = "7x7"
    width: Annotated[
        Count,
        Meta(description="Channels of the first stage; the others have 2, 4 and 8 times as many."),
    ] = 64
    embedding: Annotated[Count, Meta(description="Numbers of an embedding.")] = 512
    loss: Annotated[
        Literal["arcface", "subcentre", "softmax"],
        Meta(description="ArcFace, ArcFace with several centres, or softmax."),
    ]
    scale: Annotated[Positive, Meta(description="Scale of cosines, s of ArcFace.")] = 30.0
    margin: Annotated[
        Angle, Meta(description="Margin of the smallest class, m of ArcFace, in radians.")
    ]
    least_margin: Annotated[
        Angle, Meta(description="With several centres: margin towards which classes shrink.")
    ]
    margin_power: Annotated[
        NotNegative,
        Meta(description="With several centres: margins shrink with this power of the class size."),
    ] = 0.25
    centres: Annotated[Count, Meta(description="Centres of a class.")]
    smoothing: Annotated[
        Share, Meta(description="Share of a label that is spread over all classes.")
    ] = 0.0
    lr: Annotated[
        Positive, Meta(description="Highest learning rate. Default: less for smaller batches.")
    ]
    momentum: Annotated[Share, Meta(description="Momentum of SGD.")] = 0.9
    weight_decay: Annotated[
        NotNegative, Meta(description="Decay of weights; biases and normalisation have none.")
    ] = 5e-4
    clip: Annotated[
        NotNegative,
        Meta(description="Largest norm of a gradient; longer ones are shortened; 0: any."),
    ] = 5.0
    schedule: Annotated[
        Literal["steps", "cosine"],
        Meta(description="Learning rate: steps down, or half a cosine."),
    ]
    down_at: Annotated[
        tuple[Share, ...], Meta(description="Steps down, at these shares of the training.")
    ] = (0.4, 0.7, 0.9)
    down_by: Annotated[
        Positive, Meta(description="Factor of the learning rate at each step down.")
    ] = 0.1
    warmup: Annotated[
        Share, Meta(description="Share of the training in which the learning rate rises.")
    ]
    batch_size: Annotated[
        int,
        Meta(ge=2, description="Images of a step. Default: fewer for a small dataset, down to 8."),
    ]
    epochs: Annotated[
        Count,
        Meta(
            description="Passes over the images. Default: one for each 15 images, from 14 to the"
            " recipe's."
        ),
    ] = 50
    average: Annotated[
        Share,
        Meta(description="Decay of the moving average of weights, which is the model; 0: none."),
    ]
    average_rise: Annotated[
        Positive,
        Meta(description="The average decays by (1 + step) / (this + step) at most."),
    ] = 10.0
    mixed: Annotated[bool, Meta(description="Compute in bfloat16 on a GPU, or not.")]
    crop: Annotated[
        float,
        Meta(
            ge=0.5,
            le=1,
            description="Least side of a random crop, as a share; without operations, its side.",
        ),
    ]
    flip: Annotated[bool, Meta(description="Flip pictures at random, or never.")] = True
    operations: Annotated[
        int, Meta(ge=0, le=8, description="Random operations on each picture, as in RandAugment.")
    ]
    magnitude: Annotated[Share, Meta(description="Strength of random operations.")]
    turn: Annotated[
        float, Meta(ge=0, le=180, description="Largest rotation at full strength, in degrees.")
    ] = 30.0
    shear: Annotated[
        Share, Meta(description="Largest shear at full strength, as a share of the height.")
    ] = 0.3
    shift: Annotated[
        Share, Meta(description="Largest shift at full strength, as a share of half the width.")
    ] = 0.2
    tint: Annotated[
        Share,
        Meta(description="Largest change of saturation, brightness and contrast at full strength."),
    ] = 0.9
    fade: Annotated[Share, Meta(description="Largest share of white at full strength.")] = 0.5
    erase: Annotated[Share, Meta(description="Share of pictures with a rectangle erased.")]
    erase_least: Annotated[
        Share, Meta(description="Shortest side of an erased rectangle, as a share.")
    ] = 0.2
    erase_most: Annotated[
        Share, Meta(description="Longest side of an erased rectangle, as a share.")
    ] = 0.45
    balance: Annotated[
        Share, Meta(description="0: classes as often as they have images; 1: all alike.")
    ]

    @property
    def room(self) -> int:
        """The side of the squares out of which crops are cut in training, in pixels."""
        return round(self.side / self.crop)

    @property
    def shown(self) -> int:
        """The side of the squares out of which the middle is cut otherwise, in pixels: that at
        which things appear as large as they do on average in training.
        """
        return round(self.side / (self.crop if not self.operations else (1 + self.crop) / 2))


ORIGINAL = Recipe(
    colours="grey",
    loss="arcface",
    margin=0.5,
    least_margin=0.5,
    centres=1,
    lr=0.1,
    schedule="steps",
    warmup=0.0,
    batch_size=128,
    average=0.0,
    mixed=False,
    crop=0.8,
    operations=0,
    magnitude=0.0,
    erase=0.0,
    balance=0.0,
)
"""The baseline of the source: ResNet-18 without squeeze-and-excitation, ArcFace, as far as it was
told, and as its wording fits an implementation of those days (grey, 128 pixels, s = 30, m = 0.5,
SGD 0.1 with steps, weight decay 5e-4, 50 epochs)."""

MODERN = Recipe(
    colours="colour",
    loss="subcentre",
    margin=0.4,
    least_margin=0.1,
    centres=3,
    lr=0.2,
    schedule="cosine",
    warmup=0.06,
    batch_size=256,
    average=0.999,
    mixed=True,
    crop=0.7,
    operations=2,
    magnitude=0.4,
    erase=0.25,
    balance=0.3,
)
"""Sub-centre ArcFace with margins by class size (Ha et al., arXiv:2010.05350), a cosine with
warm-up, an average of the weights, and augmentation."""

RECIPES = {"original": ORIGINAL, "modern": MODERN}

DEVIATIONS = (
    "Input size, s, m, the number of epochs and the classes of the source were never told.",
    "The first convolution is 7 x 7 as in ResNet's paper; code for faces often has 3 x 3 (--stem).",
    "The embedding is made of the mean of the last feature map, not of all its places.",
    "The loss is cross-entropy; pictures are squashed to a square and cropped at random.",
    "Gradients longer than 5 are shortened (--clip); biases and normalisation do not decay.",
    "Small datasets get smaller batches with a lower learning rate, and fewer epochs.",
)
"""Deviations of the recipe `original` from the source, and guesses."""

_LEAST_BATCH, _BATCHES = 8, 32
_LEAST_EPOCHS, _IMAGES_PER_EPOCH = 14, 15


def fitted(recipe: Recipe, images: int, given: frozenset[str]) -> Recipe:
    """Return a recipe that suits a number of training images; settings in `given` stay.

    Batches shrink until an epoch has 32 of them, down to batches of 8, and the learning rate with
    the root of their size. Fewer than 750 images get an epoch less for each 15 of them, but 14 at
    least: such a dataset is for a trial, which should take a minute or two.
    """
    batch = max(_LEAST_BATCH, min(recipe.batch_size, images // _BATCHES))
    epochs = max(_LEAST_EPOCHS, min(recipe.epochs, images // _IMAGES_PER_EPOCH))
    suited = {"batch_size": batch, "epochs": epochs}
    if "batch_size" not in given:
        suited["lr"] = recipe.lr * (batch / recipe.batch_size) ** 0.5
    return replace(recipe, **{name: suited[name] for name in suited.keys() - given})
