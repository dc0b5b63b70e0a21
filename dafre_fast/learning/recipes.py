"""Recipes of training: every figure that decides what a model becomes."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from dafre_fast.core.settings.groups import Count, Share

Colours = Literal["colour", "grey"]
Stem = Literal["3x3", "7x7"]
LossName = Literal["arcface", "subcentre", "softmax"]
Schedule = Literal["steps", "cosine"]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Angle = Annotated[float, Meta(ge=0, le=1.5)]
"""A margin, in radians."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """All that decides a model, besides the images. Shares are from 0 to 1."""

    colours: Colours
    side: Annotated[int, Meta(ge=16)]
    """Side of the network's input, in pixels."""
    stem: Stem
    """First convolution: 3 x 3 or 7 x 7. The latter halves the side, and makes a step cost half."""
    width: Count
    """Channels of the first stage; the others have 2, 4 and 8 times as many."""
    embedding: Count
    """Numbers of an embedding."""
    loss: LossName
    scale: Positive
    """Factor of the cosines (s of ArcFace)."""
    margin: Angle
    """Margin of the smallest class."""
    least_margin: Angle
    """Margin that classes approach as they grow; `margin` gives all classes the same."""
    centres: Count
    """Centres of a class."""
    smoothing: Share
    """Share of a label that is spread over all classes."""
    lr: Positive
    """Highest learning rate of SGD, for a batch of `batch_size`."""
    momentum: Share
    weight_decay: NotNegative
    schedule: Schedule
    """Tenfold steps down at 0.4, 0.7 and 0.9 of the training, or half a cosine."""
    warmup: Share
    """Share of the training in which the learning rate rises."""
    batch_size: Annotated[int, Meta(ge=2)]
    epochs: Count
    average: Share
    """Decay of the moving average of the weights, which is the model; 0 for none."""
    mixed: bool
    """Compute in bfloat16 where a GPU can."""
    crop: Annotated[float, Meta(ge=0.5, le=1)]
    """Least side of a random crop, as a share of the picture's; without operations, its side."""
    flip: bool
    operations: Annotated[int, Meta(ge=0, le=8)]
    """Random operations on each picture, as RandAugment draws them."""
    magnitude: Share
    """Strength of the random operations."""
    erase: Share
    """Share of pictures of which a random rectangle is erased."""
    balance: Share
    """Evens out how often classes are seen: 0 as often as they have images, 1 all alike."""

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
    side=128,
    stem="7x7",
    width=64,
    embedding=512,
    loss="arcface",
    scale=30.0,
    margin=0.5,
    least_margin=0.5,
    centres=1,
    smoothing=0.0,
    lr=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="steps",
    warmup=0.0,
    batch_size=128,
    epochs=50,
    average=0.0,
    mixed=False,
    crop=0.8,
    flip=True,
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
    side=128,
    stem="7x7",
    width=64,
    embedding=512,
    loss="subcentre",
    scale=30.0,
    margin=0.4,
    least_margin=0.1,
    centres=3,
    smoothing=0.0,
    lr=0.2,
    momentum=0.9,
    weight_decay=5e-4,
    schedule="cosine",
    warmup=0.06,
    batch_size=256,
    epochs=50,
    average=0.999,
    mixed=True,
    crop=0.7,
    flip=True,
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
    "The embedding is made of the mean of the last feature map, not of all its places.",
    "The loss is cross-entropy; pictures are squashed to a square and cropped at random.",
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
