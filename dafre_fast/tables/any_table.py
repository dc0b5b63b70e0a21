"""Read any table: Parquet, CSV, TSV, lines of JSON objects, or plain lines, compressed or not.

The first bytes of a file show what it is, never its name. CSV has quoting as in RFC 4180; in TSV a
field may be quoted as a whole, and ends with its line. Both begin with a line of names. A file
whose first line begins with an address is plain lines: one column, `url`.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.blocks import blocks, check_text, read_lines
from dafre_fast.tables.row_problems import LONGEST
from dafre_fast.tables.streams import Stream, opened
from dafre_fast.tables.text import BOM
from dafre_fast.tables.unreadable import reading

_PARQUET = b"PAR1"
_WHAT = "a table: Parquet, CSV, TSV, a JSON object per line, or an address per line"
_ADDRESS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_SWALLOWED = ("unexpected end of data", "field larger than field limit")
"""Errors of the module csv where a quoted field does not end."""


Records = Iterator[tuple[int, list[str] | RowProblem]]
"""The first line of each row that is not blank, and its fields or what is wrong with it."""


class Raw(NamedTuple):
    """The rows of a table as they are: `line` uint32 (from 1; in Parquet the number of the row),
    `problem` (a `RowProblem`, null for a row that could be read) and the columns of the table,
    which are text, int64, float64 or bool. `left_out` names columns of other kinds.
    """

    rows: pl.DataFrame
    columns: Sequence[str]
    left_out: Sequence[str] = ()


def read_any(path: Path) -> Raw:
    """Read a table. Values that are lists or records become JSON text, dates ISO 8601.

    Raises InputError if the file cannot be read, is no table, or has no row or two columns of one
    name.
    """
    with opened(path) as stream:
        if stream.head.startswith(_PARQUET):
            raw = _of_parquet(path, stream)
        else:
            check_text(path, stream, _WHAT)
            raw = _of_text(path, stream.head.removeprefix(BOM).lstrip())
    if raw.rows.is_empty():
        raise InputError(f"{path}: has no rows")
    return raw


def _of_text(path: Path, head: bytes) -> Raw:
    if not head:
        raise InputError(f"{path}: is empty")
    if head.startswith(b"["):
        raise InputError(f"{path}: is a JSON array; it must have an object per line")
    if head.startswith(b"{"):
        return _of_json(path)
    first = head.partition(b"\n")[0].decode(errors="replace")
    if _ADDRESS.match(first):
        return _of_lines(path)
    return _of_fields(path, _tabbed if "\t" in first else _records)


def _of_parquet(path: Path, stream: Stream) -> Raw:
    source: Path | io.BytesIO = path
    with path.open("rb") as file:
        if file.read(len(_PARQUET)) != _PARQUET:
            source = io.BytesIO(stream.read())
    with reading(path, "is a damaged Parquet file"):
        table = (
            pl.read_parquet(source, glob=False)
            if isinstance(source, Path)
            else (pl.read_parquet(source))
        )
    left_out = [name for name, kind in table.schema.items() if kind in (pl.Binary, pl.Object)]
    columns = [_plain(table[name]) for name in table.columns if name not in left_out]
    return _raw(pl.DataFrame(columns), left_out)


def _raw(table: pl.DataFrame, left_out: Sequence[str] = ()) -> Raw:
    """Return a table that could be read as a whole."""
    names = table.columns
    if clash := {"line", "problem"} & {*names}:
        table = table.rename({name: _stand_in(name, names) for name in clash})
        names = table.columns
    rows = table.with_row_index("line", offset=1)
    return Raw(rows.with_columns(problem=pl.lit(None, pl.String)), names, left_out)


def _stand_in(name: str, names: Sequence[str]) -> str:
    while name in names:
        name = f"table_{name}"
    return name


def _plain(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind in (pl.String, pl.Boolean, pl.Int64, pl.Float64):
        return column
    if kind.is_integer() and kind not in (pl.UInt64, pl.Int128):
        return column.cast(pl.Int64)
    if kind in (pl.Float32, pl.Float64):
        return column.cast(pl.Float64)
    if isinstance(kind, (pl.List, pl.Array, pl.Struct)):
        texts = [None if value is None else _as_text(value) for value in column.to_list()]
        return pl.Series(column.name, texts, pl.String)
    return column.cast(pl.String)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class _Rows:
    """The rows of a table of text, as they are read."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.lines, self.problems = list[int](), list[RowProblem | None]()
        self.values = list[Sequence[Any]]()
        self._nothing = [None] * len(names)

    def add(self, line: int, values: Sequence[Any] | RowProblem) -> None:
        self.lines.append(line)
        if isinstance(values, RowProblem):
            self.problems.append(values)
            self.values.append(self._nothing)
        else:
            self.problems.append(None)
            self.values.append(values)

    def raw(self) -> Raw:
        columns = zip(*self.values, strict=True) if self.values else [()] * len(self.names)
        table = pl.DataFrame(
            [_column(name, values) for name, values in zip(self.names, columns, strict=True)]
        )
        raw = _raw(table)
        problems = pl.Series([one and one.value for one in self.problems], dtype=pl.String)
        lines = pl.Series(self.lines, dtype=pl.UInt32)
        return raw._replace(rows=raw.rows.with_columns(line=lines, problem=problems))


def _column(name: str, values: Iterable[Any]) -> pl.Series:
    """Return values as a column of the narrowest kind that holds them all, text for mixed ones."""
    values = [*values]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {bool}:
        return pl.Series(name, values, pl.Boolean if kinds else pl.String)
    if kinds <= {int} and all(value is None or abs(value) < 1 << 63 for value in values):
        return pl.Series(name, values, pl.Int64)
    if kinds <= {int, float}:
        return pl.Series(name, values, pl.Float64, strict=False)
    texts = [None if value is None else _as_text(value) for value in values]
    return pl.Series(name, texts, pl.String)


def _of_lines(path: Path) -> Raw:
    rows = pl.concat([*read_lines(path)])
    problem = (
        pl.when(pl.col("text").is_null())
        .then(pl.lit(RowProblem.NOT_UTF8.value))
        .when(pl.col("text").str.len_bytes() > LONGEST)
        .then(pl.lit(RowProblem.TOO_LONG.value))
    )
    return Raw(rows.select("line", problem=problem, url="text"), ["url"])


def _of_json(path: Path) -> Raw:
    objects, lines, problems = list[dict[str, Any]](), list[int](), list[RowProblem | None]()
    decoder = msgspec.json.Decoder(dict[str, Any])
    for line, text in enumerate(_lines(path), 1):
        if not text.strip():
            continue
        problem = RowProblem.TOO_LONG if len(text) > LONGEST else None
        try:
            found = decoder.decode(text) if problem is None else {}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found, problem = {}, RowProblem.BAD_JSON
        objects.append(found)
        lines.append(line)
        problems.append(problem)
    rows = _Rows([*dict.fromkeys(name for one in objects for name in one)])
    for line, one, bad in zip(lines, objects, problems, strict=True):
        rows.add(line, bad or [one.get(name) for name in rows.names])
    return rows.raw()


def _lines(path: Path) -> Iterator[bytes]:
    for block in blocks(path, what=_WHAT):
        yield from block.removesuffix(b"\n").split(b"\n")


def _of_fields(path: Path, split: Callable[[Path, Iterator[str]], Records]) -> Raw:
    """Read CSV or TSV."""
    texts = (line.decode(errors="surrogateescape") + "\n" for line in _lines(path))
    records = split(path, texts)
    names = _names(path, next((fields for _, fields in records), []))
    rows = _Rows(names)
    for line, fields in records:
        if isinstance(fields, RowProblem) or len(fields) == len(names):
            rows.add(line, fields)
        else:
            fewer = len(fields) < len(names)
            rows.add(line, RowProblem.MISSING_COLUMNS if fewer else RowProblem.EXTRA_COLUMNS)
    return rows.raw()


def _tabbed(_: Path, texts: Iterator[str]) -> Records:
    """Split lines at tabs. A field that is quoted as a whole is taken out of its quotes."""
    for line, text in enumerate(texts, 1):
        if stripped := text.rstrip("\r\n"):
            yield line, _checked([_unquoted(field) for field in stripped.split("\t")])


def _unquoted(field: str) -> str:
    inner = field[1:-1].replace('""', "")
    if len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner:
        return field[1:-1].replace('""', '"')
    return field


def _checked(fields: list[str]) -> list[str] | RowProblem:
    text = "".join(fields)
    if text.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in text):
        return fields
    return RowProblem.NOT_UTF8


def _records(path: Path, texts: Iterator[str]) -> Records:
    """Yield the first line of each record of CSV, and its fields or what is wrong with it."""
    reader = csv.reader(texts, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if str(error).startswith(_SWALLOWED) and reader.line_num > line:
                raise InputError(f"{path}: line {line}: a quoted field does not end") from error
            too_long = str(error).startswith(_SWALLOWED[1])
            yield line, RowProblem.TOO_LONG if too_long else RowProblem.BAD_QUOTES
            continue
        if fields:
            yield line, _checked(fields)


def _names(path: Path, fields: list[str] | RowProblem) -> list[str]:
    if isinstance(fields, RowProblem):
        raise InputError(f"{path}: line 1: {fields.cause}")
    names = [name.strip() or f"column {number}" for number, name in enumerate(fields, 1)]
    if any(map(_ADDRESS.match, names)):
        raise InputError(f"{path}: line 1 has an address; it must have the names of the columns")
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InputError(f"{path}: has two columns named {min(repeated)}")
    return names
