"""Read files of records: JSON in any layout, or Parquet with columns of the same names."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import STATE
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import table_name
from dafre_fast.tables.json_lines import Shape, frame, read_json
from dafre_fast.tables.json_texts import PARQUET, is_single, looks_like_records
from dafre_fast.tables.record_fields import BadRecord
from dafre_fast.tables.unreadable import reading

_BATCH_ROWS = 20_000
_LARGEST_SINGLE = 1 << 20


class Table(NamedTuple):
    """Files that are one table: a file, or all files of a folder that have one record each.

    `path` names it in messages; the share of bad rows is that of the table.
    """

    path: Path
    files: Sequence[Path]


def tables_of(paths: Iterable[Path]) -> list[Table]:
    """Return the tables of these files, and of all files in these folders that have records.

    Neither hidden files of a folder belong to it, nor those that are named otherwise than metadata
    and begin otherwise, too, such as pictures and a README. Raises InputError if a folder has no
    file of records, or a file cannot be read.
    """
    tables = list[Table]()
    files = (file for path in paths for file in (_inside(path) if path.is_dir() else [path]))
    for folder, together in groupby(files, _folder_if_single):
        group = [*together]
        if folder and len(group) > 1:
            tables.append(Table(folder, group))
        else:
            tables += [Table(file, [file]) for file in group]
    return tables


def _folder_if_single(file: Path) -> Path | None:
    return file.parent if is_single(file, _LARGEST_SINGLE) else None


def _inside(folder: Path) -> list[Path]:
    files = sorted(_walk(folder, set()))
    if not files:
        raise InputError(f"{folder}: holds no files")
    found = [file for file in files if looks_like_records(file)]
    if not found:
        names = ", ".join(table_name(file) for file in files[:3])
        more = ", …" if len(files) > 3 else ""
        raise InputError(f"{folder}: holds no metadata, JSON or Parquet (it has {names}{more})")
    return found


def _walk(folder: Path, above: set[tuple[int, int]]) -> Iterator[Path]:
    """Yield the files in a folder and those below, but hidden ones and outputs of runs; links are
    followed.
    """
    with reading(folder):
        status = folder.stat()
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
    here = status.st_dev, status.st_ino
    if here in above:
        return
    for entry in entries:
        if entry.is_dir() and not os.path.isdir(f"{entry.path}/{STATE}"):  # noqa: PTH112
            yield from _walk(folder / entry.name, above | {here})
        elif entry.is_file():
            yield folder / entry.name


def read_records(table: Table, shape: Shape) -> Iterator[pl.DataFrame]:
    """Yield the records of a table as `read_json` does. The `line` of a record in Parquet is the
    number of its row (from 1); fields without a column are null.

    Raises InputError if a file cannot be read, is neither JSON nor Parquet, or has no record.
    """
    height, (first, *others) = 0, table.files
    of_parquet = not others and _is_parquet(first)
    for block in _parquet(first, shape) if of_parquet else read_json(table.files, shape):
        yield block
        height += block.height
    if not height:
        raise InputError(f"{table.path}: holds no records")


def _is_parquet(path: Path) -> bool:
    with reading(path), path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def _parquet(path: Path, shape: Shape) -> Iterator[pl.DataFrame]:
    with reading(path):
        table = pl.scan_parquet(path, glob=False, low_memory=True)
        kinds = table.collect_schema()
        if "id" not in kinds:
            raise InputError(f"{path}: has no column id")
        fields = [name for name in shape.record.__struct_fields__ if name in kinds]
        flat = shape.flat(kinds)
        rows = table.select(fields if flat is None else flat)
        file = pl.lit(table_name(path)).alias("file")
        numbered = rows.with_row_index("line", offset=1)
        for batch in numbered.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True):
            if flat is None:
                yield _one_by_one(batch, shape).select(file, pl.all())
            else:
                no_problem = pl.lit(None, pl.String).alias("problem")
                yield batch.select(file, "line", no_problem, *shape.columns)


def _one_by_one(batch: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    nothing = (None,) * len(shape.columns)
    rows = list[tuple[object, ...]]()
    for row in batch.iter_rows(named=True):
        number = row.pop("line")
        try:
            rows.append((number, None, *shape.row(shape.record(**row))))
        except BadRecord as bad:
            rows.append((number, RowProblem(bad.problem).value, *nothing))
    return frame(rows, shape.schema)
