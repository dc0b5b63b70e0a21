"""Lines of JSON as tables, plain or compressed by gzip, Zstandard or xz; the content tells which.

A file is read in blocks of whole lines, so that its size does not matter. What is read of them may
have a reader of its own for plain lines. The others polars decodes at once; where it stumbles,
msgspec looks at each by itself, and what it does not find fault with is decoded.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.tables.blocks import blocks
from dafre_fast.tables.marks import is_good

In = TypeVar("In")
Out = TypeVar("Out")
LONGEST_LINE = 1 << 24
"""Bytes; a post with a thousand tags has 100 kB."""
_THREADS = min(8, usable_cores())
"""Each holds a block and what is made of it, 50 MB; eight keep up with any decompressor."""
_HALF_A_CHARACTER = (b"\\ud", b"\\uD")
"""Of two that make one in JSON. Of one without the other polars makes a NUL."""


Text = str | int | float | bool | None
"""A field that is read as text, whatever it is."""


class PlainLines(NamedTuple):
    """`rows` has `line` (uint32, from 0) and the fields of the lines of a block that were read;
    `others` are those that were not, with their ends, by number. Blank ones are in neither. There
    are `height` lines in all.
    """

    rows: pl.DataFrame
    others: Mapping[int, bytes]
    height: int


class Shape(NamedTuple):
    """What is read of a line: fields and their types, as polars and as msgspec have it.

    `plain` reads what it can of whole lines with their ends. It may leave any line to others, and
    must find the fields that they would, or what means the same to whoever asked for this shape.
    """

    fields: Mapping[str, pl.DataType]
    record: type[msgspec.Struct]
    plain: Callable[[bytes], PlainLines] | None = None


def read_json_lines(path: Path, shape: Shape) -> Iterator[pl.DataFrame]:
    """Blocks of `line` (uint32, from 1), `problem` (a `RowProblem`, null for a good line), and the
    fields of `shape`, null where a line is bad or says nothing of them. Blank lines are no rows.

    Raises InputError where the file cannot be read, or is no lines of JSON.
    """
    first = 1
    for rows, lines in _in_threads(partial(_decoded, shape=shape), _blocks(path)):
        yield rows.with_columns(line=pl.col("line") + first)
        first += lines


def _in_threads(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """As `map`, a few items ahead; polars works without the GIL."""
    ahead = deque[Future[Out]]()
    with ThreadPoolExecutor(_THREADS) as threads:
        for item in items:
            ahead.append(threads.submit(function, item))
            if len(ahead) > _THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _blocks(path: Path) -> Iterator[bytes]:
    for number, block in enumerate(blocks(path, LONGEST_LINE, "lines of JSON")):
        if number == 0 and block.lstrip().startswith(b"["):
            raise InputError(f"{path}: is an array; it must be JSON with an object a line")
        yield block


def _decoded(block: bytes, shape: Shape) -> tuple[pl.DataFrame, int]:
    """As `read_json_lines`, lines counted from 0, and how many there are."""
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
    """None where a closer look is needed."""
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
    """False where lines may be objects only together, for all are decoded as one text."""
    text = lines.str.strip_chars()
    whole = text.str.starts_with("{") & text.str.ends_with("}")
    return bool((whole & (text.str.len_bytes() <= LONGEST_LINE)).all())


def _fields(rows: pl.DataFrame, lines: pl.Series, shape: Shape) -> pl.DataFrame:
    """Raises PolarsError where a line does not fit."""
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
    except pl.exceptions.PolarsError:  # they differ about a line
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
