"""Read and write heads.parquet: every box that a detector found, a row each."""

from pathlib import Path

import msgspec
import polars as pl
from msgspec import Struct

from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.records import Box
from dafre_fast.tables.marks import is_good, when
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

BOXES = {
    "id": pl.Int64(),
    "tag_id": pl.Int64(),
    **dict.fromkeys(Box._fields, pl.Float32()),
    "score": pl.Float32(),
    "model": pl.String(),
}
"""Columns of heads.parquet: edges as shares of the upright picture, score 0 to 1, and the first
digits of the model's SHA-256. The tag id is null for a post with several characters."""

_SETTINGS = "dafre_fast"
_LARGEST_ID = 10**18 - 1


class Search(Struct, frozen=True):
    """The settings of the search that found the heads of a table."""

    detector: str
    """The name of the model's file."""
    count_threshold: float


def is_sure(threshold: float) -> pl.Expr:
    """Return the test for a score of at least this, as float32, the type of the column."""
    return pl.col("score") >= pl.lit(threshold, dtype=pl.Float32)


def write_heads(boxes: pl.DataFrame, path: Path, search: Search) -> None:
    """Write boxes (`BOXES`), and the settings beside them in the file. Raises OutputError."""
    write_parquet(boxes, path, metadata={_SETTINGS: msgspec.json.encode(search).decode()})


def read_search(path: Path) -> Search | None:
    """Return the settings of the search, None if they are not recorded. Raises InputError."""
    with reading(path, "is not a Parquet file"), path.open("rb") as file:
        recorded = pl.read_parquet_metadata(file).get(_SETTINGS)
    try:
        return msgspec.json.decode(recorded or "", type=Search)
    except msgspec.DecodeError:
        return None


def read_heads(path: Path) -> pl.DataFrame:
    """Return the rows of heads.parquet: `line` uint32 (from 1), `n`, `BOXES`, and `problem` (a
    `RowProblem`, null for a good row). `n` is the place of a row among those of its image, from 0.

    Edges may be NaN, or outside the picture. Raises InputError if the file cannot be read or lacks
    a column.
    """
    with reading(path, "is not a Parquet file"), path.open("rb") as file:
        rows = pl.read_parquet(file)
    _check_columns(path, rows)
    rows = rows.select(pl.col(name).cast(kind, strict=False) for name, kind in BOXES.items())
    known = rows.with_columns(n=pl.int_range(pl.len(), dtype=pl.Int64).over("id"))
    numbered = known.with_row_index("line", offset=1)
    return numbered.with_columns(problem=pl.coalesce(_problem(), _repeats()))


def _check_columns(path: Path, rows: pl.DataFrame) -> None:
    if missing := [name for name in BOXES if name not in rows.columns]:
        raise InputError(f"{path}: has no column {', '.join(missing)}, so is no heads.parquet")
    for name, wanted in BOXES.items():
        found = rows.schema[name]
        numbers = found.is_integer() if wanted.is_integer() else found.is_numeric()
        right = found == wanted if wanted == pl.String() else numbers
        if not right and found != pl.Null():
            raise InputError(f"{path}: column {name} is of type {found}, not {wanted}")


def _problem() -> pl.Expr:
    edges = pl.any_horizontal(pl.col(*Box._fields).is_null())
    return pl.coalesce(
        when(~pl.col("id").is_between(0, _LARGEST_ID).fill_null(value=False), RowProblem.BAD_ID),
        when(edges, RowProblem.BAD_BOX_TEXT),
        when(~pl.col("score").is_between(0, 1).fill_null(value=False), RowProblem.BAD_CONFIDENCE),
    )


def _repeats() -> pl.Expr:
    return when(~pl.struct(*BOXES).is_first_distinct(), RowProblem.DUPLICATE_ROW)


def sure_heads(rows: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Return the good rows of at least this score."""
    return rows.filter(is_good, is_sure(threshold))
