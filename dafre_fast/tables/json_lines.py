"""Read files of JSON records as tables, whatever their layout (`tables.json_texts`).

A file is read in blocks of lines, so that its size does not matter. Each block goes through up to
two readers: a compiled one of the shape for plain lines, and msgspec for all others, one by one.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import polars as pl

from dafre_fast.core.daemons import pool
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.tables.json_texts import LONGEST_LINE, Block, read_blocks
from dafre_fast.tables.record_fields import BadRecord
from dafre_fast.tables.text import BOM

In = TypeVar("In")
Out = TypeVar("Out")
_THREADS = min(8, usable_cores())
"""Threads that decode. Each holds a block and its table, 50 MB; eight keep up with any
decompressor.
"""
_BLANKS = b" \t\r\n\v\f"
_UP_TO_NO_NUMBER = re.compile(
    rb'((?:[^"NI-]++|"(?:[^"\\]++|\\.)*+"|-(?![NI]))*+)-?(?:NaN|Infinity)\b', re.DOTALL
)
"""Text before NaN or Infinity, strings as a whole; `match` must begin outside of one."""


class PlainLines(NamedTuple):
    """Lines of a block after the fast reader. `rows` has `line` (uint32, from 0) and the columns of
    the lines that it read; `others` has the lines that it did not, with their ends, by number.
    Blank lines are in neither. The block has `height` lines.
    """

    rows: pl.DataFrame
    others: Mapping[int, bytes]
    height: int


class Shape(NamedTuple):
    """The fields to read of records, and the columns that they become.

    `record` has the fields, each of any type; `row` makes of one the values of `columns`, or raises
    BadRecord. `plain` is the fast reader, if there is one: it reads the lines it can of a block of
    whole lines. It may leave any line to `row`, and has to find the same values, or equivalent
    ones. `flat` makes columns of a Parquet file, or None if only `row` can; it knows their types.
    """

    columns: Mapping[str, pl.DataType]
    record: type[msgspec.Struct]
    row: Callable[[Any], tuple[object, ...]]
    plain: Callable[[bytes], PlainLines] | None = None
    flat: Callable[[pl.Schema], list[pl.Expr] | None] = lambda _: None

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Return `line`, `problem` and the columns, with their types."""
        return {"line": pl.UInt32(), "problem": pl.String(), **self.columns}


def read_json(paths: Iterable[Path], shape: Shape) -> Iterator[pl.DataFrame]:
    """Yield frames of `file` (the name of the file, or its member), `line` (uint32, from 1),
    `problem` (a `RowProblem`, null for a good record), and the columns of `shape`, null if the
    record is bad. Blank lines are not rows.

    Raises InputError if a file cannot be read, or is something else than records of JSON.
    """
    following = 1
    for rows, height, block in _in_threads(partial(_decoded, shape=shape), read_blocks(paths)):
        first = 1 if block.begins else following
        yield _placed(rows, block, first)
        following = first + height if block.numbers is None else int(block.numbers[-1]) + 1


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


def _decoded(block: Block, shape: Shape) -> tuple[pl.DataFrame, int, Block]:
    return *decoded(block.text, shape), block


def _placed(rows: pl.DataFrame, block: Block, first: int) -> pl.DataFrame:
    """Return rows with the `file` and `line` that they come from."""
    if block.numbers is None:
        name = pl.lit(block.names[0][0]).alias("file")
        return rows.select(name, pl.col("line") + first, pl.exclude("line"))
    lines, (names, heights) = rows["line"], zip(*block.names, strict=True)
    of_line = pl.Series(np.repeat(np.arange(len(names)), heights))
    files = pl.Series("file", names, pl.String).gather(of_line.gather(lines))
    numbers = pl.Series("line", block.numbers).gather(lines)
    return rows.select(files, numbers, pl.exclude("line"))


def decoded(block: bytes, shape: Shape) -> tuple[pl.DataFrame, int]:
    """Return the rows of a block, with `line` from 0, and the number of its lines."""
    if shape.plain is None:
        lines = block.removesuffix(b"\n").split(b"\n")
        return _one_by_one(enumerate(lines), shape), len(lines)
    plain, others, height = shape.plain(block if block.endswith(b"\n") else block + b"\n")
    rows = plain.select("line", pl.lit(None, pl.String).alias("problem"), *shape.columns)
    if not others:
        return rows, height
    return pl.concat([rows, _one_by_one(others.items(), shape)]).sort("line"), height


def _one_by_one(lines: Iterable[tuple[int, bytes]], shape: Shape) -> pl.DataFrame:
    decode = msgspec.json.Decoder(shape.record).decode
    nothing = (None,) * len(shape.columns)
    rows = list[tuple[object, ...]]()
    for number, line in lines:
        if not line.strip(_BLANKS):
            continue
        try:
            rows.append((number, None, *shape.row(_record(line, decode))))
        except BadRecord as bad:
            rows.append((number, bad.problem.value, *nothing))
    return frame(rows, shape.schema)


def frame(rows: list[tuple[object, ...]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return a table of rows of Python values."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pl.DataFrame(
        [
            pl.Series(name, values, kind)
            for (name, kind), values in zip(schema.items(), columns, strict=True)
        ]
    )


def _record(line: bytes, decode: Callable[[bytes], object]) -> object:
    """Return the record of a line. Raises BadRecord."""
    if len(line) > LONGEST_LINE:
        raise BadRecord(RowProblem.TOO_LONG)
    try:
        if not line.isascii():
            line = line.removeprefix(BOM)
            line.decode()
        return _with_numbers(line, decode)
    except UnicodeDecodeError:
        raise BadRecord(RowProblem.NOT_UTF8) from None
    except RecursionError:
        raise BadRecord(RowProblem.TOO_DEEP) from None
    except msgspec.DecodeError:
        raise BadRecord(RowProblem.BAD_JSON) from None


def _with_numbers(line: bytes, decode: Callable[[bytes], object]) -> object:
    """Decode a line; NaN and Infinity, which Python writes and JSON has not, become null."""
    try:
        return decode(line)
    except msgspec.DecodeError:
        if b"NaN" not in line and b"Infinity" not in line:
            raise
    parts, at = list[bytes](), 0
    while found := _UP_TO_NO_NUMBER.match(line, at):
        parts += found[1], b"null"
        at = found.end()
    return decode(b"".join((*parts, line[at:])))
