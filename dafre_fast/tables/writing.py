"""Write tables to files."""

import os
import re
import shutil
from collections.abc import Callable
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any

import polars as pl

from dafre_fast.core.atomic import replacing

_CAUSE = re.compile(r"\(os error ([0-9]+)\)")
_FOOTER_BYTES = 1 << 20
"""Bytes, more than any footer of a Parquet file has."""


def write_parquet(rows: pl.DataFrame | pl.LazyFrame, path: Path, **options: Any) -> None:
    """Write a Parquet file whole or not at all. Raises OutputError if the system refuses."""
    _write(path, lambda part: rows.lazy().sink_parquet(part, **options))


def write_arrow(rows: pl.DataFrame | pl.LazyFrame, path: Path) -> None:
    """Write an Arrow file (IPC) as `write_parquet` does, uncompressed: it is read by mapping it."""
    _write(path, lambda part: rows.lazy().sink_ipc(part, compression="uncompressed"))


def _write(path: Path, sink: Callable[[Path], None]) -> None:
    with replacing(path) as part:
        try:
            sink(part)
        except pl.exceptions.ComputeError as error:
            if number := _errno(error, part):
                raise OSError(number, os.strerror(number)) from error
            raise


def _errno(error: pl.exceptions.ComputeError, part: Path) -> int | None:
    """Return the number of the system's error, such as a full disk, None if it is another error.

    For Parquet, polars raises no OSError. An error while it writes the footer even lacks the cause:
    then the free space on the disk decides.
    """
    if cause := _CAUSE.search(str(error)):
        return int(cause[1])
    if "transport error" in str(error):
        return ENOSPC if shutil.disk_usage(part.parent).free < _FOOTER_BYTES else EIO
    return None


def write_csv(rows: pl.DataFrame, path: Path) -> None:
    """Write a CSV file with a header, whole or not at all. Raises OutputError if the system
    refuses.
    """
    with replacing(path) as part:
        rows.write_csv(part)
