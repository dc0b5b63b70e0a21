"""Parquet as tables of the shape that lines of JSON have."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dafre_fast.model.errors import InputError
from dafre_fast.tables.json_lines import Shape

_MAGIC = b"PAR1"
_BATCH_ROWS = 20_000


def is_parquet(path: Path) -> bool:
    """By its content. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def read_parquet(path: Path, shape: Shape) -> Iterator[pl.DataFrame]:
    """As `read_json_lines`, `line` being the number of a row; columns that are not there are null.

    Raises InputError where the file cannot be read, has no ids, or a column of another kind.
    """
    try:
        table = pl.scan_parquet(path, glob=False, low_memory=True)
        kinds = table.collect_schema()
        if "id" not in kinds:
            raise InputError(f"{path}: has no column id")
        columns = [_column(path, name, kinds.get(name), to) for name, to in shape.fields.items()]
        rows = table.select(pl.lit(None, pl.String).alias("problem"), *columns)
        numbered = rows.with_row_index("line", offset=1)
        yield from numbered.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"{path}: cannot be read: {str(error).partition(chr(10))[0]}") from error


def _column(path: Path, name: str, kind: pl.DataType | None, to: pl.DataType) -> pl.Expr:
    """A column as text; whole numbers among floats, as pandas makes them of missing ones, too.
    Flags and lists must be what they are to be.
    """
    column = pl.col(name)
    if kind is None:
        return pl.lit(None, to).alias(name)
    unlike = kind.is_nested() or isinstance(kind, (pl.Binary, pl.Boolean))
    if isinstance(to, pl.String) == unlike:
        raise InputError(f"{path}: its column {name} is of {kind}, which cannot be read")
    if not kind.is_float():
        return column.cast(to)
    whole = column.cast(pl.Int64, strict=False)
    text = pl.when(whole == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
    return pl.when(column.is_not_nan()).then(text).alias(name)
