"""Read files of records: JSON lines, or Parquet with columns of the same names."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.tables.json_lines import Shape, read_json_lines
from dafre_fast.tables.unreadable import reading

PARQUET = b"PAR1"
"""First bytes of a Parquet file."""
_BATCH_ROWS = 20_000


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield these files, and all files in these folders except hidden ones.

    Raises InputError if a folder has no file.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(one for one in path.rglob("[!.]*") if one.is_file())
        if not inside:
            raise InputError(f"{path}: holds no files")
        yield from inside


def read_records(path: Path, shape: Shape) -> Iterator[pl.DataFrame]:
    """Yield the records of a file as `read_json_lines` does. The `line` of a record in Parquet is
    the number of its row (from 1); fields without a column are null.

    Raises InputError if the file cannot be read, is neither JSON lines nor Parquet, has no record,
    or a column has an unsuitable type.
    """
    height = 0
    for block in _parquet(path, shape) if _is_parquet(path) else read_json_lines(path, shape):
        yield block
        height += block.height
    if not height:
        raise InputError(f"{path}: holds no records")


def _is_parquet(path: Path) -> bool:
    with reading(path), path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def _parquet(path: Path, shape: Shape) -> Iterator[pl.DataFrame]:
    with reading(path):
        table = pl.scan_parquet(path, glob=False, low_memory=True)
        kinds = table.collect_schema()
        if "id" not in kinds:
            raise InputError(f"{path}: has no column id")
        columns = [_column(path, name, kinds.get(name), to) for name, to in shape.fields.items()]
        rows = table.select(pl.lit(None, pl.String).alias("problem"), *columns)
        numbered = rows.with_row_index("line", offset=1)
        yield from numbered.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True)


def becomes_text(kind: pl.DataType) -> bool:
    """Return whether values of this type can be read as text: numbers can, flags and lists not."""
    return not (kind.is_nested() or isinstance(kind, (pl.Binary, pl.Boolean)))


def _column(path: Path, name: str, kind: pl.DataType | None, to: pl.DataType) -> pl.Expr:
    """Return a column of Parquet as the type `to`. Floats that are whole numbers become text
    without a point: pandas makes floats of columns with missing numbers.

    Raises InputError if its type is unsuitable.
    """
    column = pl.col(name)
    if kind is None:
        return pl.lit(None, to).alias(name)
    if isinstance(to, pl.String) != becomes_text(kind):
        raise InputError(f"{path}: column {name} has the unsuitable type {kind}")
    if not kind.is_float():
        return column.cast(to)
    whole = column.cast(pl.Int64, strict=False)
    text = pl.when(whole == column).then(whole.cast(pl.String)).otherwise(column.cast(pl.String))
    return pl.when(column.is_not_nan()).then(text).alias(name)
