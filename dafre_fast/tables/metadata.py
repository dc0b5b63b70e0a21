"""Read metadata of originals: id, md5, file_ext and file_size, as Danbooru publishes them.

The files are Parquet, or lines of JSON, plain or compressed; ids and sizes are numbers or text. A
table has millions of rows, of which a run needs a few: it is read in blocks, and the rows that are
not needed are dropped with their block.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import SCHEMA, refuse_too_many
from dafre_fast.tables.json_lines import Shape, Text
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats, when
from dafre_fast.tables.record_files import files_of, read_records


class Metadata(NamedTuple):
    """Metadata of the originals that are wanted: `key` (the decimal id), `extension` (lower case),
    `known_bytes` int64 and `md5` (lower case), null if unknown. `bad_rows` are as in
    `Catalogue.bad_rows`; the line of a Parquet file is the number of its row (from 1).
    """

    known: pl.LazyFrame
    bad_rows: pl.DataFrame


_TEXTS = dict.fromkeys(("key", "extension", "md5"), pl.String())
NOTHING = Metadata(
    pl.LazyFrame(schema={**_TEXTS, "known_bytes": pl.Int64()}), pl.DataFrame(schema=SCHEMA)
)
"""The metadata of no table."""


def read_metadata(paths: Sequence[Path], keys: pl.Series, max_bad_rows: float) -> Metadata:
    """Read the metadata of the originals `keys`. If an original has several rows, the first good
    one counts, in the order of the tables. Rows of other originals are not compared with each
    other.

    Raises InputError if a table cannot be read, or has more bad rows than allowed.
    """
    if not paths:
        return NOTHING
    paths, wanted = [*files_of(paths)], keys.cast(pl.Int64).to_frame("id").lazy()
    tables = [_read(number, path, wanted) for number, path in enumerate(paths)]
    rows = pl.concat(table.rows for table in tables)
    rows = mark_repeats(rows, "id", RowProblem.DUPLICATE_ID)
    bad_rows = []
    for number, (path, table) in enumerate(zip(paths, tables, strict=True)):
        found = bad_rows_of(path, rows.filter(table=number)).sort("line")
        refuse_too_many(path, found, table.height, max_bad_rows)
        bad_rows.append(found)
    known = rows.lazy().filter(is_good).select("key", "extension", "known_bytes", "md5")
    return Metadata(known, pl.concat(bad_rows))


class _Table(NamedTuple):
    """The rows of a table that are wanted or bad, and the number of all its rows."""

    rows: pl.DataFrame
    height: int


def _read(number: int, path: Path, wanted: pl.LazyFrame) -> _Table:
    kept, height = [], 0
    for block in read_records(path, _SHAPE):
        rows = _judged(block.lazy())
        both = rows.filter(is_good).join(wanted, on="id", how="semi"), rows.filter(~is_good)
        kept.append(pl.concat(both).with_columns(table=pl.lit(number)).collect())
        height += block.height
    return _Table(pl.concat(kept).sort("line"), height)


class _Record(msgspec.Struct):
    id: Text = None
    md5: Text = None
    file_ext: Text = None
    file_size: Text = None


_SHAPE = Shape(dict.fromkeys(_Record.__struct_fields__, pl.String()), _Record)


def _judged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return the columns of `Metadata.known`, and `line`, `id` and `problem`. An empty text counts
    as missing.
    """
    size, md5, extension = (
        pl.col(name).replace("", None) for name in ("file_size", "md5", "file_ext")
    )
    # Null if there is nothing to judge: only a missing id is a problem.
    problems: Iterable[tuple[pl.Expr, RowProblem]] = (
        (~_fits(pl.col("id").fill_null(""), r"0*[0-9]{1,18}"), RowProblem.BAD_ID),
        (~_fits(md5, "[0-9a-fA-F]{32}"), RowProblem.BAD_MD5),
        (~_fits(extension, "[0-9a-zA-Z]{1,5}"), RowProblem.BAD_EXTENSION),
        (~_fits(size, "0*[1-9][0-9]{0,17}"), RowProblem.BAD_SIZE),
    )
    found = (when(bad, problem) for bad, problem in problems)
    return rows.select(
        "line",
        pl.col("id").cast(pl.Int64, strict=False),
        extension=extension.str.to_lowercase(),
        known_bytes=size.cast(pl.Int64, strict=False),
        md5=md5.str.to_lowercase(),
        problem=pl.coalesce("problem", *found),
    ).with_columns(key=pl.col("id").cast(pl.String))


def _fits(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.contains(f"^(?:{pattern})$")
