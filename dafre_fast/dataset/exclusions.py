"""Read the list of images to leave out of a pack or a training set."""

from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.tables.unreadable import reading


def read_excluded(path: Path) -> pl.Series:
    """Return the ids (int64) in column `id` of a CSV file, such as the one that `audit` writes.

    Raises InputError if the file cannot be read, or a line has no id.
    """
    with reading(path, "is no CSV file with a column id"):
        ids = pl.scan_csv(path, infer_schema=False, glob=False).select("id").collect()["id"]
    numbers = ids.str.strip_chars().cast(pl.Int64, strict=False)
    bad = numbers.is_null().arg_true()
    if len(bad):
        raise InputError(f"{path}: line {bad[0] + 2}: {ids[bad[0]]!r} is no id")
    return numbers
