"""Read files of lines block by block, whether plain or compressed by gzip, Zstandard or xz.

The first bytes of a file show its compression. One block is in memory at a time, however large the
file is.
"""

import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.tables.row_problems import LONGEST
from dafre_fast.tables.text import BOM, something_else
from dafre_fast.tables.unreadable import reading

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK_BYTES = 1 << 23
_OPENERS = ((b"\x1f\x8b", gzip.open), (b"\x28\xb5\x2f\xfd", zstd.open), (b"\xfd7zXZ\0", lzma.open))
COMPRESSED = tuple(magic for magic, _ in _OPENERS)
"""First bytes of compressed files."""
_UNREADABLE = (EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError)


def read_lines(path: Path) -> Iterator[pl.DataFrame]:
    """Yield frames of `line` (uint32, from 1) and `text`, the line without its end, null if it is
    not UTF-8. Blank lines are left out.

    A line of more than `LONGEST` bytes is cut one byte beyond that. Raises InputError if the file
    cannot be read, is not text, or has no line that is not blank.
    """
    first, rows = 1, 0
    for block in blocks(path):
        lines = _decoded(block).to_frame().with_row_index("line", offset=first)
        first += lines.height
        blank = pl.col("text").str.contains(r"^[ \t\r]*$").fill_null(value=False)
        lines = lines.filter(~blank)
        rows += lines.height
        yield lines
    if not rows:
        raise InputError(f"{path}: {'has no rows' if first > 1 else 'is empty'}")


def blocks(
    path: Path, longest: int = LONGEST, what: str = "lines of UTF-8 text"
) -> Iterator[bytes]:
    """Yield whole lines with their ends, about 8 MB at a time. A last line without an end is cut
    one byte beyond `longest`.

    Raises InputError if the file cannot be read, or is not `what` the message says it must be.
    """
    try:
        with reading(path), _opened(path, what) as file:
            rest, data = b"", file.read(BLOCK_BYTES).removeprefix(BOM)
            while data:
                end = data.rfind(b"\n") + 1
                if end:
                    yield b"".join((rest, memoryview(data)[:end]))  # copied once
                    rest = b""
                rest = (rest + data[end:])[: longest + 1]
                data = file.read(BLOCK_BYTES)
            if rest:
                yield rest
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _opened(path: Path, what: str) -> IO[bytes]:
    with path.open("rb") as raw:
        head = raw.read(LONGEST)
    opener = next((opener for magic, opener in _OPENERS if head.startswith(magic)), None)
    if opener is None:
        if kind := something_else(head):
            raise InputError(f"{path}: is {kind}; it must be {what}")
        return path.open("rb")
    file: IO[bytes] = opener(path, "rb")  # type: ignore[assignment]
    return file


def _decoded(block: bytes) -> pl.Series:
    try:
        block.decode()
    except UnicodeDecodeError:
        lines = map(_text, block.removesuffix(b"\n").split(b"\n"))
        return pl.Series("text", lines, dtype=pl.String)
    return pl.read_lines(io.BytesIO(block), name="text")["text"]


def _text(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None
