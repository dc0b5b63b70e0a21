"""Read metadata of originals: id, md5, file_ext and file_size, as Danbooru publishes them.

The files are Parquet or JSON (`tables.record_files`); ids and sizes are numbers or text, and what a
record lacks is looked for in its `media_asset`. A table has millions of rows, of which a run needs
a few: it is read in blocks, and the rows that are not needed are dropped with their block.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import polars as pl

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import SCHEMA, refuse_too_many
from dafre_fast.tables.json_lines import Shape
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats, when
from dafre_fast.tables.record_fields import as_text, becomes_text, own_or_asset, text_column
from dafre_fast.tables.record_files import Table, read_records, tables_of


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
    wanted = keys.cast(pl.Int64).to_frame("id").lazy()
    found = [_read(table, wanted) for table in tables_of(paths)]
    rows = mark_repeats(pl.concat(one.rows for one in found), "id", RowProblem.DUPLICATE_ID)
    bad_rows, first = [], 0
    for one in found:
        of_table = rows.slice(first, one.rows.height)
        bad_rows.append(bad_rows_of(one.path, of_table))
        refuse_too_many(one.path, bad_rows[-1], one.height, max_bad_rows)
        first += one.rows.height
    known = rows.lazy().filter(is_good).select("key", "extension", "known_bytes", "md5")
    return Metadata(known, pl.concat(bad_rows))


class _Found(NamedTuple):
    """The rows of the table `path` that are wanted or bad, and the number of all its rows."""

    path: Path
    rows: pl.DataFrame
    height: int


def _read(table: Table, wanted: pl.LazyFrame) -> _Found:
    kept, height = [], 0
    for block in read_records(table, _SHAPE):
        rows = _judged(block.lazy())
        needed = rows.join(
            wanted.with_columns(wanted=True), on="id", how="left", maintain_order="left"
        )
        kept.append(needed.filter(pl.col("wanted") | ~is_good).drop("wanted").collect())
        height += block.height
    return _Found(table.path, pl.concat(kept), height)


class _Record(msgspec.Struct):
    id: Any = None
    md5: Any = None
    file_ext: Any = None
    file_size: Any = None
    media_asset: msgspec.Raw = msgspec.Raw()


_OF_FILE = {
    "md5": RowProblem.BAD_MD5,
    "file_ext": RowProblem.BAD_EXTENSION,
    "file_size": RowProblem.BAD_SIZE,
}
_COLUMNS = dict.fromkeys(("id", *_OF_FILE), pl.String())


def _row(record: _Record) -> tuple[str | None, ...]:
    of_file = (own_or_asset(record, name, problem) for name, problem in _OF_FILE.items())
    return as_text(record.id, RowProblem.BAD_ID), *of_file


def _flat(kinds: pl.Schema) -> list[pl.Expr] | None:
    if "media_asset" in kinds and not all(name in kinds for name in _COLUMNS):
        return None
    if not all(becomes_text(kinds.get(name, pl.Null())) for name in _COLUMNS):
        return None
    return [text_column(name, kinds) for name in _COLUMNS]


_SHAPE = Shape(_COLUMNS, _Record, _row, flat=_flat)


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
        "file",
        "line",
        pl.col("id").cast(pl.Int64, strict=False),
        extension=extension.str.to_lowercase(),
        known_bytes=size.cast(pl.Int64, strict=False),
        md5=md5.str.to_lowercase(),
        problem=pl.coalesce("problem", *found),
    ).with_columns(key=pl.col("id").cast(pl.String))


def _fits(text: pl.Expr, pattern: str) -> pl.Expr:
    return text.str.contains(f"^(?:{pattern})$")
