"""Translate the errors of reading a table into one line that names the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError

_POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""Errors of polars; it panics where damaged data breaks one of its own assumptions."""


@contextmanager
def reading(path: Path, failure: str = "cannot be read") -> Iterator[None]:
    """Raise InputError in place of an error of the system or of polars: "`path`: `failure`: cause".

    Of the cause one line is kept. Where the system refuses to open or read a file, its reason is
    enough, and `failure` is left out.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or _cause(error)}") from error
    except _POLARS as error:
        raise InputError(f"{path}: {failure}: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    if "not properly escaped" in str(error):
        return "a quoted field does not end, or goes on behind its end"
    # Of "No such file or directory (os error 2): PATH" the caller says the rest.
    return str(error).partition("\n")[0].partition(" (os error ")[0]
