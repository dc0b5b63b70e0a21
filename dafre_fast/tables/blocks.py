"""Read files of lines block by block, whether plain or compressed (`tables.streams`).

One block is in memory at a time, however large the file is.
"""

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.tables.row_problems import LONGEST
from dafre_fast.tables.streams import Readable, Stream, opened
from dafre_fast.tables.text import BOM, something_else

BLOCK_BYTES = 1 << 23


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
    with opened(path) as file:
        check_text(path, file, what)
        yield from whole_lines(file, longest)


def check_text(name: object, file: Stream, what: str) -> None:
    """Raise InputError if the first bytes of a file show that it is something else than text."""
    if kind := something_else(file.head):
        raise InputError(f"{name}: is {kind}; it must be {what}")


def whole_lines(file: Readable, longest: int) -> Iterator[bytes]:
    """Yield whole lines as `blocks` does, without a byte order mark at the beginning."""
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
