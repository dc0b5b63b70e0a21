"""The images of an export: rows of the manifest with their tags, files and boxes."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from dafre_fast.core.errors import UsageError
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Output, Whole
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.shown_boxes import shown_boxes

FILE = "file"
"""The column of the paths of images in an export."""
SIDES = ("image_width", "image_height")
"""Columns of the size of an image in an export, in pixels."""


Files = Iterator[tuple[str, bytes]]
"""Paths in an export, and the bytes of these files."""


class Exporting(NamedTuple):
    """The images of an export and their classes, as a format is given them.

    `images` has the columns of a pack (`pack.rows`), `file`, the path of the image in the export,
    and `image_width` and `image_height` in pixels. `left`, `top`, `right` and `bottom` are shares
    of this image, from 0 to 1, all null if it has no box. `classes` are indexed by class id; there
    are none in a dataset without classes.
    """

    name: str
    """The name of the dataset."""
    images: pl.DataFrame
    classes: Sequence[str]


class Format(NamedTuple):
    """A format of exports. A new one is a module with a `FORMAT`, and a row in `formats.choose`."""

    path: Callable[[Sequence[str], str], pl.Expr]
    """Returns the paths of images in the export, for the names of all classes and the extension."""
    files: Callable[[Exporting], Files]
    """Returns the other files of the export by their paths, made one after the other."""
    needs_boxes: bool = False
    needs_classes: bool = False


def shows_boxes(output: Output) -> bool:
    """Return whether an output shows whole pictures, so that boxes of originals are its own."""
    return isinstance(output.region, Whole)


def images_of(rows: pl.DataFrame, output: Output, path: pl.Expr) -> pl.DataFrame:
    """Return rows of a pack as the images of an export (`Exporting`), with their `path` there."""
    prefix = prefix_of(output.name)
    sides = [
        pl.col(f"{prefix}{side}").alias(name)
        for side, name in zip(("width", "height"), SIDES, strict=True)
    ]
    shown = shown_boxes(output)
    edges = [shown[edge].cast(pl.Float64).clip(0, 1).alias(edge) for edge in Box._fields]
    left, top, right, bottom = (pl.col(edge) for edge in Box._fields)
    is_box = (right > left) & (bottom > top) & pl.lit(shows_boxes(output))
    known = pl.all_horizontal(pl.col(edge).is_finite() for edge in Box._fields)
    return rows.with_columns(path.alias(FILE), *sides, *edges).with_columns(
        pl.when(is_box & known).then(pl.col(edge)).alias(edge) for edge in Box._fields
    )


def refuse_unfit(format: Format, word: str, output: Output, classes: Sequence[str]) -> None:
    """Raise UsageError if images have no boxes or classes, and a format needs them."""
    if format.needs_boxes and not shows_boxes(output):
        raise UsageError(
            f"--format {word}: holds boxes, and {output.name} images have none: --images full"
        )
    if format.needs_classes and not classes:
        raise UsageError(f"--format {word}: is a folder per class, and this dataset has no classes")
