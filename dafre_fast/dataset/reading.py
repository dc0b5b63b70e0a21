"""Read a finished dataset as one table: its manifest, and the tags of each image."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import LABELS, MANIFEST
from dafre_fast.core.splits import SPLITS
from dafre_fast.tables.unreadable import reading

LISTS = tuple(column(category) for category in CATEGORIES)
"""Columns of tags: general, series, character."""
_NEEDED = ("id", "path", "class_id", "class_name", "split", "status")


def open_manifest(folder: Path) -> pl.LazyFrame:
    """Open the manifest: a row per requested image (`dataset.manifest.build_manifest`).

    Raises InputError if there is no manifest of `full`.
    """
    return _scan(folder / MANIFEST, _NEEDED)


def open_dataset(folder: Path) -> pl.LazyFrame:
    """Open the manifest together with the tags: a row per requested image, with the columns of the
    manifest (`dataset.manifest.build_manifest`) and those of `LISTS`, lists of text, null if the
    tags of an image are not known.

    Raises InputError if there is no manifest of `full`, or a table of tags cannot be read.
    """
    manifest, tables = open_manifest(folder), open_tags(folder)
    if not tables:
        return manifest.with_columns(pl.lit(None, pl.List(pl.String)).alias(name) for name in LISTS)
    tags = pl.concat(tables).unique("id", keep="first")
    return manifest.join(tags, on="id", how="left", maintain_order="left")


def open_tags(folder: Path) -> list[pl.LazyFrame]:
    """Open the tables of tags, one for each split that has one: `id` and the columns of `LISTS`. If
    an image has several rows, the first counts. Raises InputError as `open_dataset` does.
    """
    paths = [folder / LABELS / f"{split}_tags.parquet" for split in SPLITS]
    return [_scan(path, ("id", *LISTS)).select("id", *LISTS) for path in paths if path.exists()]


def _scan(path: Path, needed: Sequence[str]) -> pl.LazyFrame:
    with reading(path):
        table = pl.scan_parquet(path, glob=False)
        missing = [name for name in needed if name not in table.collect_schema()]
    if missing:
        raise InputError(f"{path}: has no column {', '.join(missing)}")
    return table
