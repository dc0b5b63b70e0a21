"""What is known of originals beforehand: id, md5, file_ext and file_size, as Danbooru has them.

Parquet, or lines of JSON, plain or compressed by gzip or Zstandard; the content tells which. Ids
and sizes are numbers or text. Such a table has millions of rows of which a run wants a few: it is
read in batches, and what is not wanted is gone with its batch.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import polars as pl

from dafre_fast.model.errors import InputError
from dafre_fast.model.reason import RowProblem
from dafre_fast.tables.bad_rows import SCHEMA, refuse_too_many, table_name
from dafre_fast.tables.text import something_else

_BATCH_ROWS = 50_000
_LONGEST_LINE = 1 << 24
"""Bytes; a post with a thousand tags has 100 kB."""
_GZIP, _ZSTANDARD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_UNREADABLE = (EOFError, zlib.error, pl.exceptions.PolarsError, pl.exceptions.PanicException)


class Metadata(NamedTuple):
    """Of the originals wanted: `key` (the decimal id), `extension` (lower case), `known_bytes`
    int64 and `md5` (lower case), null where it is not known; and the rows that were set aside, as
    in `Catalogue.bad_rows`, the line of a Parquet file being the number of its row (from 1).
    """

    known: pl.LazyFrame
    bad_rows: pl.DataFrame


_TEXTS = dict.fromkeys(("key", "extension", "md5"), pl.String())
NOTHING = Metadata(
    pl.LazyFrame(schema={**_TEXTS, "known_bytes": pl.Int64()}), pl.DataFrame(schema=SCHEMA)
)
"""Without tables."""


def read_metadata(paths: Sequence[Path], keys: pl.Series, max_bad_rows: float) -> Metadata:
    """What the tables say of `keys`. Of several rows of a wanted image the first good one counts,
    in the order of the tables; rows of others are judged by themselves alone.

    Raises InputError for a table that cannot be read, or has more malformed rows than allowed.
    """
    if not paths:
        return NOTHING
    wanted = keys.cast(pl.Int64).to_frame("id").lazy()
    tables = [_read(number, path, wanted) for number, path in enumerate(paths)]
    rows = _mark_repeats(pl.concat(table.rows for table in tables))
    good = pl.col("problem").is_null()
    bad_rows = []
    for number, (path, table) in enumerate(zip(paths, tables, strict=True)):
        bad = rows.filter(~good, table=number).sort("line")
        found = bad.select(pl.lit(table_name(path)).alias("table"), "line", "problem")
        refuse_too_many(path, found, table.height, max_bad_rows)
        bad_rows.append(found)
    known = rows.lazy().filter(good).select("key", "extension", "known_bytes", "md5")
    return Metadata(known, pl.concat(bad_rows))


class _Table(NamedTuple):
    """Its rows that are wanted or bad, and how many it has in all."""

    rows: pl.DataFrame
    height: int


def _read(number: int, path: Path, wanted: pl.LazyFrame) -> _Table:
    kept, height = [], 0
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
        for batch in _batches(path, head):
            rows = _judged(batch.lazy())
            good = rows.filter(pl.col("problem").is_null())
            both = good.join(wanted, on="id", how="semi"), rows.filter(pl.col("problem") != "")
            kept.append(pl.concat(both).with_columns(table=pl.lit(number)).collect())
            height += batch.height
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {str(error).partition(chr(10))[0]}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    if not height:
        raise InputError(f"{path}: has no rows")
    return _Table(pl.concat(kept).sort("line"), height)


def _batches(path: Path, head: bytes) -> Iterator[pl.DataFrame]:
    """Tables of `line` and the fields as text; `id` is null and `broken` true where there is no
    object.
    """
    if head.startswith(_PARQUET):
        return _parquet(path)
    if head.startswith(_ZSTANDARD):
        return _json(_lines_of_zstandard(path))
    if head.startswith(_GZIP):
        return _json(_lines(gzip.open(path)))
    if kind := something_else(head):
        raise InputError(f"{path}: is {kind}; it must be Parquet, or lines of JSON")
    if head.lstrip().startswith(b"["):
        raise InputError(f"{path}: is an array; it must be Parquet, or JSON with an object a line")
    return _json(_lines(path.open("rb")))


def _parquet(path: Path) -> Iterator[pl.DataFrame]:
    table = pl.scan_parquet(path, glob=False, low_memory=True)
    kinds = table.collect_schema()
    if "id" not in kinds:
        raise InputError(f"{path}: has no column id")
    columns = [_text(path, name, kinds.get(name)) for name in _Record.__struct_fields__]
    rows = table.select(*columns, broken=False).with_row_index("line", offset=1)
    return rows.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True)


def _text(path: Path, name: str, kind: pl.DataType | None) -> pl.Expr:
    """A column as text; whole numbers among floats, as pandas makes them of missing ones, too."""
    column = pl.col(name)
    if kind is None:
        return pl.lit(None, pl.String).alias(name)
    if kind.is_float():
        whole = column.cast(pl.Int64, strict=False)
        text = (
            pl.when(whole == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
        )
        return pl.when(column.is_not_nan()).then(text).alias(name)
    if kind.is_nested() or isinstance(kind, (pl.Binary, pl.Boolean)):
        raise InputError(f"{path}: its column {name} is neither of numbers nor of text")
    return column.cast(pl.String)


class _Record(msgspec.Struct):
    """A line of JSON; what is of the wrong type is told by its problem, not here."""

    id: Any = None
    md5: Any = None
    file_ext: Any = None
    file_size: Any = None


_NO_RECORD = _Record()
_decode = msgspec.json.Decoder(_Record).decode


def _json(lines: Iterator[bytes | str]) -> Iterator[pl.DataFrame]:
    numbers, records = list[int](), list[_Record]()
    for number, line in enumerate(lines, 1):
        if line.isspace():
            continue
        numbers.append(number)
        try:
            records.append(_decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            records.append(_NO_RECORD)
        if len(records) == _BATCH_ROWS:
            yield _frame(numbers, records)
            numbers, records = [], []
    if records:
        yield _frame(numbers, records)


def _frame(numbers: list[int], records: list[_Record]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            pl.Series("line", numbers, pl.UInt32),
            *(
                pl.Series(name, [_as_text(getattr(one, name)) for one in records], pl.String)
                for name in _Record.__struct_fields__
            ),
            pl.Series("broken", [one is _NO_RECORD for one in records], pl.Boolean),
        ]
    )


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value)


def _lines(opened: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Lines with their ends. One that is too long is cut off, and so no JSON any more."""
    with opened as file:
        while line := file.readline(_LONGEST_LINE):
            yield line
            while not line.endswith(b"\n") and len(line) == _LONGEST_LINE:
                line = file.readline(_LONGEST_LINE)


def _lines_of_zstandard(path: Path) -> Iterator[str]:
    """Of which Python knows nothing before 3.14; polars does."""
    lines = pl.scan_lines(path, name="line")
    for batch in lines.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True):
        yield from batch["line"]


def _judged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The columns of `Metadata.known` and `line`, `id` and `problem`; a text without letters says
    nothing.
    """
    size, md5, extension = (
        pl.col(name).replace("", None) for name in ("file_size", "md5", "file_ext")
    )
    # Null where there is nothing to be judged, which is no problem but for an id.
    problems: Iterable[tuple[pl.Expr, RowProblem]] = (
        (pl.col("broken"), RowProblem.BAD_JSON),
        (~_fits(pl.col("id").fill_null(""), r"0*[0-9]{1,18}"), RowProblem.BAD_ID),
        (~_fits(md5, "[0-9a-fA-F]{32}"), RowProblem.BAD_MD5),
        (~_fits(extension, "[0-9a-zA-Z]{1,5}"), RowProblem.BAD_EXTENSION),
        (~_fits(size, "0*[1-9][0-9]{0,17}"), RowProblem.BAD_SIZE),
    )
    found = (pl.when(bad).then(pl.lit(problem.value)) for bad, problem in problems)
    return rows.select(
        "line",
        pl.col("id").cast(pl.Int64, strict=False),
        extension=extension.str.to_lowercase(),
        known_bytes=size.cast(pl.Int64, strict=False),
        md5=md5.str.to_lowercase(),
        problem=pl.coalesce(*found),
    ).with_columns(key=pl.col("id").cast(pl.String))


def _fits(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.contains(f"^(?:{pattern})$")


def _mark_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """As `text.mark_repeats`, over several tables."""
    good = pl.col("problem").is_null()
    known = ("id", "extension", "known_bytes", "md5")
    same = good & ~pl.struct("problem", *known).is_first_distinct()
    again = good & ~pl.struct("problem", "id").is_first_distinct()
    return rows.with_columns(
        problem=pl.when(same)
        .then(pl.lit(RowProblem.DUPLICATE_ROW.value))
        .when(again)
        .then(pl.lit(RowProblem.DUPLICATE_ID.value))
        .otherwise("problem")
    )
