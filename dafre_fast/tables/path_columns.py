"""Columns of text with paths of images: the parts of a path, and the problems it may have."""

from collections.abc import Iterable

import polars as pl

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.marks import when
from dafre_fast.tables.row_problems import LONGEST

FOLDER = "(?P<folder>[0-9]{1,18})"
FILE = r"(?P<id>[0-9]{1,18})\.(?P<extension>[0-9A-Za-z]{1,5})$"


def problems_of_text() -> Iterable[pl.Expr]:
    """Yield the problems of a column `text`, which is null if it is not UTF-8."""
    yield when(pl.col("text").is_null(), RowProblem.NOT_UTF8)
    yield when(pl.col("text").str.len_bytes() > LONGEST, RowProblem.TOO_LONG)


def problems_of_path() -> Iterable[pl.Expr]:
    """Yield the problems of the groups `id` and `folder`, both int64."""
    yield when(pl.col("id").is_null(), RowProblem.BAD_PATH)
    yield when(pl.col("folder").cast(pl.Int64) != pl.col("id") % 1000, RowProblem.WRONG_FOLDER)


def groups_of(lines: pl.LazyFrame, path: pl.Expr, pattern: str) -> pl.LazyFrame:
    """Add the named groups of a pattern as columns; they are null if the path does not match."""
    return lines.with_columns(groups=path.str.extract_groups(pattern)).unnest("groups")


def stripped(text: pl.Expr) -> pl.Expr:
    """Return text without blanks at its ends."""
    return text.str.strip_chars(" \t\r")
