"""Read the list of images that a pack or a loader leaves out."""

from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError


def read_excluded(path: Path) -> pl.Series:
    """The ids (int64) of a CSV file with a column `id`: that of an audit, or any other.

    Raises InputError where it cannot be read, and for a line without an id.
    """
    try:
        ids = pl.scan_csv(path, infer_schema=False, glob=False).select("id").collect()["id"]
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is no CSV file with a column id: {reason}") from error
    numbers = ids.str.strip_chars().cast(pl.Int64, strict=False)
    bad = numbers.is_null().arg_true()
    if len(bad):
        raise InputError(f"{path}: line {bad[0] + 2}: {ids[bad[0]]!r} is no id")
    return numbers
