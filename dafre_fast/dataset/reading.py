"""A finished dataset as one table: its manifest, and the tags of each image where there are any."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import LABELS, MANIFEST
from dafre_fast.core.splits import SPLITS
from dafre_fast.tables.unreadable import reading

LISTS = tuple(column(category) for category in CATEGORIES)
"""Columns of tags: description, series, character."""
_NEEDED = ("id", "path", "class_id", "class_name", "split", "status")


def open_manifest(folder: Path) -> pl.LazyFrame:
    """A row per image that was asked for (`dataset.manifest.build_manifest`).

    Raises InputError where there is no manifest of `full`.
    """
    return _scan(folder / MANIFEST, _NEEDED)


def open_dataset(folder: Path) -> pl.LazyFrame:
    """A row per image that was asked for, in the order of the manifest: its columns
    (`dataset.manifest.build_manifest`) and those of `LISTS`, lists of text, null where nothing is
    known of an image's tags.

    Raises InputError where there is no manifest of `full`, or a table of tags cannot be read.
    """
    manifest, tables = open_manifest(folder), open_tags(folder)
    if not tables:
        return manifest.with_columns(pl.lit(None, pl.List(pl.String)).alias(name) for name in LISTS)
    tags = pl.concat(tables).unique("id", keep="first")
    return manifest.join(tags, on="id", how="left", maintain_order="left")


def open_tags(folder: Path) -> list[pl.LazyFrame]:
    """`id` and the columns of `LISTS`, of each split that has a table of tags. Of several rows of
    an image the first counts. Raises InputError likewise.
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
