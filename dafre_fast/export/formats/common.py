"""Names, boxes and files that several formats of exports share."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dafre_fast.core.categories import TAG_KINDS, column
from dafre_fast.core.records import Box
from dafre_fast.export.rows import FILE, SIDES, Files
from dafre_fast.tables.image_paths import image_paths

HEAD = "head"
"""The class of the boxes of a dataset without classes."""


def bucketed(folder: str, extension: str) -> pl.Expr:
    """Return paths `{folder}/0446/332446.jpg`; `{split}` in a folder is the split."""
    before, found, after = folder.partition("{split}")
    parts = [pl.lit(before), pl.col("split"), pl.lit(after)] if found else [pl.lit(folder)]
    return pl.concat_str([*parts, pl.lit("/"), image_paths(extension)])


def classes_or_head(classes: Sequence[str]) -> Sequence[str]:
    """Return the names of classes, or one for all boxes where there are none."""
    return classes or [HEAD]


def box_of(row: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Return left, top, width and height of the box of an image, as shares of it."""
    left, top, right, bottom = (row[edge] for edge in Box._fields)
    return None if left is None else (left, top, right - left, bottom - top)


def tags_of(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the tags of an image by kind; none where they are not known."""
    return {kind: row.get(column(category)) or [] for kind, category in TAG_KINDS.items()}


def table(images: pl.DataFrame) -> Files:
    """Yield `images.parquet`: the rows of the manifest, with tags and the file of each image, for
    formats that cannot hold them.
    """
    file = io.BytesIO()
    images.select(FILE, *SIDES, pl.exclude(FILE, *SIDES)).write_parquet(file)
    yield "images.parquet", file.getvalue()
