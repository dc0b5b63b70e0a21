"""Read the list of images that a pack or a loader leaves out."""

from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.tables.unreadable import reading


def read_excluded(path: Path) -> pl.Series:
    """The ids (int64) of a CSV file with a column `id`: that of an audit, or any other.

    Raises InputError where it cannot be read, and for a line without an id.
    """
    with reading(path, "is no CSV file with a column id"):
        ids = pl.scan_csv(path, infer_schema=False, glob=False).select("id").collect()["id"]
    numbers = ids.str.strip_chars().cast(pl.Int64, strict=False)
    bad = numbers.is_null().arg_true()
    if len(bad):
        raise InputError(f"{path}: line {bad[0] + 2}: {ids[bad[0]]!r} is no id")
    return numbers
