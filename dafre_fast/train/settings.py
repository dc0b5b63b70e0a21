"""Settings of `train` alone."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from dafre_fast.core.settings.groups import Count, Group, Share
from dafre_fast.learning.recipes import (
    RECIPES,
    Angle,
    Colours,
    LossName,
    NotNegative,
    Positive,
    Recipe,
    Schedule,
    Stem,
)

Images = Literal["faces", "full", "both"]


class TrainRun(Group, frozen=True):
    """Dataset and model."""

    output: Annotated[Path, Meta(description="Folder of the dataset.")] = Path("dataset")
    into: Annotated[Path, Meta(description="Folder of the model.")] = Path("run")
    recipe: Annotated[
        Literal["modern", "original"],
        Meta(description="Figures of the training; those of the source, or better ones."),
    ] = "modern"
    images: Annotated[
        Images, Meta(description="What the model looks at: head crops, full images, or both.")
    ] = "faces"
    exclude: Annotated[
        Path | None, Meta(description="CSV of ids to leave out, such as audit/exclude.csv.")
    ] = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="Seed of all that is random.")] = 1
    resume: Annotated[bool, Meta(description="Resume an earlier run, or start over.")] = True
    export: Annotated[
        Literal["onnx"] | None, Meta(description="Write the model in another format, too.")
    ] = None


class Figures(Group, frozen=True):
    """Figures that replace those of the recipe."""

    colours: Annotated[Colours | None, Meta(description="Colours of the pictures.")] = None
    side: Annotated[
        Annotated[int, Meta(ge=16)] | None, Meta(description="Side of the pictures, in pixels.")
    ] = None
    stem: Annotated[
        Stem | None, Meta(description="First convolution; 3x3 sees more and costs twice as much.")
    ] = None
    width: Annotated[Count | None, Meta(description="Channels of the first stage.")] = None
    embedding: Annotated[Count | None, Meta(description="Numbers of an embedding.")] = None
    loss: Annotated[
        LossName | None, Meta(description="ArcFace, ArcFace with several centres, or softmax.")
    ] = None
    scale: Annotated[Positive | None, Meta(description="Scale of cosines, s of ArcFace.")] = None
    margin: Annotated[
        Angle | None, Meta(description="Margin of the smallest class, m of ArcFace, in radians.")
    ] = None
    least_margin: Annotated[
        Angle | None, Meta(description="With several centres: margin towards which classes shrink.")
    ] = None
    centres: Annotated[Count | None, Meta(description="Centres of a class.")] = None
    smoothing: Annotated[Share | None, Meta(description="Label smoothing.")] = None
    lr: Annotated[
        Positive | None,
        Meta(description="Highest learning rate. Default: less for smaller batches."),
    ] = None
    momentum: Annotated[Share | None, Meta(description="Momentum of SGD.")] = None
    weight_decay: Annotated[NotNegative | None, Meta(description="Weight decay.")] = None
    schedule: Annotated[
        Schedule | None, Meta(description="Learning rate: steps down, or half a cosine.")
    ] = None
    warmup: Annotated[
        Share | None, Meta(description="Share of the training in which the learning rate rises.")
    ] = None
    batch_size: Annotated[
        Annotated[int, Meta(ge=2)] | None,
        Meta(description="Images of a step. Default: fewer for a small dataset, down to 8."),
    ] = None
    epochs: Annotated[
        Count | None,
        Meta(
            description="Passes over the images. Default: one for each 15 images, from 14 to the"
            " recipe's."
        ),
    ] = None
    average: Annotated[
        Share | None, Meta(description="Decay of the moving average of weights; 0: none.")
    ] = None
    mixed: Annotated[
        bool | None, Meta(description="Compute in bfloat16 on a GPU that can, or not.")
    ] = None
    crop: Annotated[
        Annotated[float, Meta(ge=0.5, le=1)] | None,
        Meta(description="Least side of a random crop, as a share; without operations, its side."),
    ] = None
    flip: Annotated[bool | None, Meta(description="Flip pictures at random, or never.")] = None
    operations: Annotated[
        Annotated[int, Meta(ge=0, le=8)] | None,
        Meta(description="Random operations on each picture."),
    ] = None
    magnitude: Annotated[Share | None, Meta(description="Strength of random operations.")] = None
    erase: Annotated[
        Share | None, Meta(description="Share of pictures with a rectangle erased.")
    ] = None
    balance: Annotated[
        Share | None, Meta(description="0: classes as often as they have images; 1: all alike.")
    ] = None


def resolve(run: TrainRun, figures: Figures) -> tuple[Recipe, frozenset[str]]:
    """Return the recipe with the figures that were given, and their names."""
    given = {name: value for name, value in _values(figures).items() if value is not None}
    return structs.replace(RECIPES[run.recipe], **given), frozenset(given)


def _values(group: Struct) -> dict[str, object]:
    return structs.asdict(group)
