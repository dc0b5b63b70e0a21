"""Read tables of text whole, check that they are text, and parse slices of them in threads.

A line ends in LF or CR LF. There is neither a header nor quoting: there is a tag named
`"nene"_neville_solstice`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.daemons import pool
from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.tables.row_problems import LONGEST
from dafre_fast.tables.unreadable import reading

_SLICE = 1 << 22
_NEWLINE = 10
BOM = b"\xef\xbb\xbf"
# First bytes of files that are not tables of text. No row begins like one of these.
_MAGIC = (
    (b"\xff\xfe\0\0", "UTF-32 text"),
    (b"\0\0\xfe\xff", "UTF-32 text"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh91AY&SY", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"PK\3\4", "a zip archive or a spreadsheet"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1\0\0", "an Arrow file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file itself"),
)
_HTML = (b"<!doctype html", b"<html")


def read_text(path: Path) -> bytes:
    """Return the whole file, without a byte order mark.

    Raises InputError if it cannot be read, is empty, or is not lines of UTF-8; the message says
    what it is instead.
    """
    with reading(path):
        text = path.read_bytes().removeprefix(BOM)
    if not text:
        raise InputError(f"{path}: is empty")
    if kind := something_else(text[:LONGEST]):
        raise InputError(f"{path}: is {kind}; it must be lines of UTF-8 text")
    return text


def something_else(head: bytes) -> str | None:
    """Return what a file is by its first bytes, None if it may be a table of text."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.lstrip()[:20].lower().startswith(_HTML):
        return "an HTML page"
    nuls = sorted((head[::2].count(0), head[1::2].count(0)))
    if nuls[0] == 0 and 4 * nuls[1] > len(head):  # one half of the bytes, and mostly
        return "UTF-16 text"
    if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
        return "text whose lines end in CR alone"
    return None


def read_rows(path: Path, parse: Callable[[NDArray[np.uint8]], pl.DataFrame]) -> pl.DataFrame:
    """Return the lines of a table except blank ones: `line` (uint32, from 1) and the columns that
    `parse` returns.

    `parse` is called in threads, with slices of the text that fit the processor's cache. It returns
    a row per line, with a column `blank`. Raises InputError as `read_text` does, or if there is no
    row.
    """
    text, frames, first = read_text(path), [], 1
    with pool(usable_cores()) as threads:  # numba and polars release the GIL
        for lines in threads.map(parse, _slices(text)):
            frames.append(lines.with_row_index("line", offset=first))
            first += lines.height
    rows = pl.concat(frames)
    if rows["blank"].any():
        rows = rows.filter(~pl.col("blank"))
    if rows.is_empty():
        raise InputError(f"{path}: has no rows")
    return rows.drop("blank")


def _slices(text: bytes) -> Iterator[NDArray[np.uint8]]:
    whole, start = np.frombuffer(text, np.uint8), 0
    while start < len(text):
        end = text.find(b"\n", start + _SLICE) + 1 or len(text)
        yield whole[start:end]
        start = end


def problem_column(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    unread: NDArray[np.bool_],
    look: Callable[[bytes], RowProblem | None],
) -> pl.Series:
    """Return the column `problem` of N lines: what `look` finds in the lines that are `unread`,
    null elsewhere.

    `starts` int64 (N,) has the index of each line's first byte. A line that is too long is cut one
    byte beyond `LONGEST`.
    """
    problems = pl.repeat(None, len(starts), dtype=pl.String, eager=True).alias("problem")
    lines = np.flatnonzero(unread)
    if not lines.size:
        return problems
    behind = np.append(starts[1:], text.size + int(text[-1] != _NEWLINE)) - 1
    ends = np.minimum(behind, starts + LONGEST + 1)[lines]
    found = [
        look(text[start:end].tobytes()) for start, end in zip(starts[lines], ends, strict=True)
    ]
    return problems.scatter(lines, pl.Series(found, dtype=pl.String))
