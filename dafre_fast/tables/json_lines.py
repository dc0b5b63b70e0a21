"""Read files of JSON lines as tables, whether plain or compressed by gzip, Zstandard or xz.

A file is read in blocks of whole lines, so that its size does not matter. Each block goes through
up to three readers, from fast to careful: one of the shape for plain lines, polars for all other
lines at once, and, if polars fails, msgspec line by line to find the bad ones.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import polars as pl

from dafre_fast.core.daemons import pool
from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.tables.blocks import blocks
from dafre_fast.tables.marks import is_good

In = TypeVar("In")
Out = TypeVar("Out")
LONGEST_LINE = 1 << 24
"""Bytes of the longest line that is read; a post with a thousand tags has 100 kB."""
_THREADS = min(8, usable_cores())
"""Threads that decode. Each holds a block and its table, 50 MB; eight keep up with any
decompressor.
"""
_HALF_A_CHARACTER = (b"\\ud", b"\\uD")
"""Beginnings of escapes of surrogates. polars turns a single one into a NUL."""


Text = str | int | float | bool | None
"""Type of a field that is read as text, whatever JSON it is."""


class PlainLines(NamedTuple):
    """Lines of a block after the fast reader. `rows` has `line` (uint32, from 0) and the fields of
    the lines that it read; `others` has the lines that it did not, with their ends, by number.
    Blank lines are in neither. The block has `height` lines.
    """

    rows: pl.DataFrame
    others: Mapping[int, bytes]
    height: int


class Shape(NamedTuple):
    """Fields to read from a line and their types, for polars and for msgspec.

    `plain` is the fast reader, if there is one: it reads the lines it can of a block of whole
    lines. It may leave any line to the other readers, and has to find the same fields as they
    would, or equivalent ones.
    """

    fields: Mapping[str, pl.DataType]
    record: type[msgspec.Struct]
    plain: Callable[[bytes], PlainLines] | None = None


def read_json_lines(path: Path, shape: Shape) -> Iterator[pl.DataFrame]:
    """Yield frames of `line` (uint32, from 1), `problem` (a `RowProblem`, null for a good line),
    and the fields of `shape`, null if the line is bad or lacks them. Blank lines are not rows.

    Raises InputError if the file cannot be read, or is something else than JSON lines.
    """
    first = 1
    for rows, lines in _in_threads(partial(_decoded, shape=shape), _blocks(path)):
        yield rows.with_columns(line=pl.col("line") + first)
        first += lines


def _in_threads(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Yield the results of `map`, computed a few items ahead; polars releases the GIL."""
    ahead = deque[Future[Out]]()
    with pool(_THREADS) as threads:
        for item in items:
            ahead.append(threads.submit(function, item))
            if len(ahead) > _THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _blocks(path: Path) -> Iterator[bytes]:
    for number, block in enumerate(blocks(path, LONGEST_LINE, "lines of JSON")):
        if number == 0 and block.lstrip().startswith(b"["):
            raise InputError(f"{path}: is an array; it must be JSON lines, an object in each")
        yield block


def _decoded(block: bytes, shape: Shape) -> tuple[pl.DataFrame, int]:
    """Return rows as `read_json_lines` yields them, with lines from 0, and the number of lines."""
    if shape.plain is None:
        return _of_any_kind(block, shape), block.count(b"\n")
    plain, others, height = shape.plain(block if block.endswith(b"\n") else block + b"\n")
    no_problem = pl.lit(None, pl.String).alias("problem")
    rows = plain.select("line", no_problem, *shape.fields)
    if not others:
        return rows, height
    numbers = pl.Series([*others], dtype=pl.UInt32)
    decoded = _of_any_kind(b"".join(others.values()), shape)
    more = decoded.with_columns(line=numbers.gather(decoded["line"]))
    return pl.concat([rows, more]).sort("line"), height


def _of_any_kind(block: bytes, shape: Shape) -> pl.DataFrame:
    rows = _at_once(block, shape)
    return _one_by_one(block, shape) if rows is None else rows


def _at_once(block: bytes, shape: Shape) -> pl.DataFrame | None:
    """Return the rows of a block if polars can decode all of it, else None."""
    if any(half in block for half in _HALF_A_CHARACTER):
        return None
    if block[:1] not in b"{ \t\r\n":  # polars would unpack what begins like compressed data
        return None
    try:
        lines = pl.read_lines(io.BytesIO(block), name="text").with_row_index("line")
        text = lines.filter(pl.col("text").str.contains(r"\S"))
        if not _each_an_object(text["text"]):
            return None
        return _fields(text.select("line", problem=None), text["text"], shape)
    except pl.exceptions.PolarsError:
        return None


def _each_an_object(lines: pl.Series) -> bool:
    """Return whether each line looks like an object: polars decodes them as one text, so that
    several lines might make one object together.
    """
    text = lines.str.strip_chars()
    whole = text.str.starts_with("{") & text.str.ends_with("}")
    return bool((whole & (text.str.len_bytes() <= LONGEST_LINE)).all())


def _fields(rows: pl.DataFrame, lines: pl.Series, shape: Shape) -> pl.DataFrame:
    """Return the rows with the fields of their lines. Raises PolarsError if a line does not fit."""
    decoded = lines.str.json_decode(pl.Struct(shape.fields))
    if len(decoded) != len(lines):
        raise pl.exceptions.ShapeError("lines that are objects only together")
    columns = decoded.alias("fields").to_frame().unnest("fields")
    return pl.concat([rows.cast({"problem": pl.String}), columns], how="horizontal")


def _one_by_one(block: bytes, shape: Shape) -> pl.DataFrame:
    decode = msgspec.json.Decoder(shape.record).decode
    lines = [(number, line) for number, line in enumerate(block.split(b"\n")) if line.strip()]
    problems = [_problem(line, decode) for _, line in lines]
    try:
        return _good_and_bad(lines, problems, shape)
    except pl.exceptions.PolarsError:  # polars and msgspec differ about a line
        pairs = zip(problems, lines, strict=True)
        problems = [problem or _problem_to_polars(line, shape) for problem, (_, line) in pairs]
        return _good_and_bad(lines, problems, shape)


def _good_and_bad(
    lines: list[tuple[int, bytes]], problems: list[RowProblem | None], shape: Shape
) -> pl.DataFrame:
    rows = pl.DataFrame(
        [
            pl.Series("line", [number for number, _ in lines], pl.UInt32),
            pl.Series("problem", problems, pl.String),
        ]
    )
    pairs = zip(lines, problems, strict=True)
    good = pl.Series([line.decode() for (_, line), bad in pairs if not bad], dtype=pl.String)
    decoded = _fields(rows.filter(is_good), good, shape)
    return pl.concat([decoded, rows.filter(~is_good)], how="diagonal").sort("line")


def _problem_to_polars(line: bytes, shape: Shape) -> RowProblem | None:
    try:
        pl.Series([line.decode()]).str.json_decode(pl.Struct(shape.fields))
    except pl.exceptions.PolarsError:
        return RowProblem.BAD_JSON
    return None


def _problem(line: bytes, decode: Callable[[bytes], object]) -> RowProblem | None:
    if len(line) > LONGEST_LINE:
        return RowProblem.TOO_LONG
    try:
        line.decode()
        decode(line)
    except UnicodeDecodeError:
        return RowProblem.NOT_UTF8
    except msgspec.ValidationError:
        is_object = line.lstrip().startswith(b"{")
        return RowProblem.BAD_FIELD if is_object else RowProblem.BAD_JSON
    except msgspec.DecodeError:
        return RowProblem.BAD_JSON
    return None
