"""Tables to files."""

import os
import re
from pathlib import Path
from typing import Any

import polars as pl

from dafre_fast.model.files import replacing

_CAUSE = re.compile(r"\(os error ([0-9]+)\)")


def write_parquet(rows: pl.DataFrame | pl.LazyFrame, path: Path, **options: Any) -> None:
    """Write the whole file or none. Raises OutputError where that is not possible."""
    with replacing(path) as part:
        try:
            rows.lazy().sink_parquet(part, **options)
        except pl.exceptions.ComputeError as error:
            # A full disk, for one: of Parquet alone polars makes no OSError of it.
            if cause := _CAUSE.search(str(error)):
                raise OSError(int(cause[1]), os.strerror(int(cause[1]))) from error
            raise


def write_csv(rows: pl.DataFrame, path: Path) -> None:
    """With a header; the whole file or none. Raises OutputError where that is not possible."""
    with replacing(path) as part:
        rows.write_csv(part)
