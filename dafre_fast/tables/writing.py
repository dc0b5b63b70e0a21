"""Tables to files."""

import os
import re
import shutil
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

import polars as pl

from dafre_fast.core.atomic import replacing

_CAUSE = re.compile(r"\(os error ([0-9]+)\)")
_FOOTER_BYTES = 1 << 20
"""More than the largest has."""


def write_parquet(rows: pl.DataFrame | pl.LazyFrame, path: Path, **options: Any) -> None:
    """Write the whole file or none. Raises OutputError where that is not possible."""
    with replacing(path) as part:
        try:
            rows.lazy().sink_parquet(part, **options)
        except pl.exceptions.ComputeError as error:
            if number := _errno(error, part):
                raise OSError(number, os.strerror(number)) from error
            raise


def _errno(error: pl.exceptions.ComputeError, part: Path) -> int | None:
    """What an OSError would say: of Parquet alone polars makes none, of a full disk for one. Where
    it comes to the footer, it does not even tell the cause.
    """
    if cause := _CAUSE.search(str(error)):
        return int(cause[1])
    if "transport error" in str(error):
        return ENOSPC if shutil.disk_usage(part.parent).free < _FOOTER_BYTES else EIO
    return None


def write_csv(rows: pl.DataFrame, path: Path) -> None:
    """With a header; the whole file or none. Raises OutputError where that is not possible."""
    with replacing(path) as part:
        rows.write_csv(part)
