"""Write and read label files as published: `class_id,path` or `class_id,name`, without header or
quoting.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.splits import SPLITS
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.blocks import read_lines
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats, when
from dafre_fast.tables.path_columns import (
    FILE,
    FOLDER,
    groups_of,
    problems_of_path,
    problems_of_text,
    stripped,
)

_NO_LINES = pl.DataFrame(schema={"line": pl.UInt32, "text": pl.String})
_LABELLED = rf"^(?:\./)?(?:{FOLDER}[/\\])?{FILE}"


class Split(NamedTuple):
    """The rows of a label file. `images` has a row per image, in the order of the file: `id` and
    `class_id` int64, and `dir`, the path as written there. `bad_rows` are as in
    `Catalogue.bad_rows`.
    """

    name: str
    images: pl.DataFrame
    bad_rows: pl.DataFrame


def write_labels(kept: pl.DataFrame, folder: Path) -> None:
    """Write train.csv, val.csv, test.csv and classid_classname.csv into `folder`.

    `kept` is `Catalogue.kept`. Raises OutputError if the folder cannot be written.
    """
    for split in SPLITS:
        _write(kept.lazy().filter(split=split).select("class_id", "path"), folder / f"{split}.csv")
    classes = kept.lazy().select("class_id", "class_name").unique(maintain_order=True)
    _write(classes, folder / "classid_classname.csv")


def _write(rows: pl.LazyFrame, path: Path) -> None:
    # Names with commas or quotes are not quoted: the second field runs to the end of the line.
    with replacing(path) as temporary:
        rows.collect().write_csv(temporary, include_header=False, quote_style="never")


def read_splits(files_or_folders: Sequence[Path], max_bad_rows: float) -> list[Split]:
    """Read label files (`class_id,path` in each line), and from folders train.csv, val.csv and
    test.csv, if they exist; one or two of those may be empty. A split has the name of its file
    without extensions. If an image has several rows in a split, the first counts.

    Raises InputError if a file is missing, cannot be read or has more bad rows than allowed, and
    UsageError if two splits have the same name.
    """
    paths = [path for one in files_or_folders for path in _label_files(one)]
    splits = {
        path.name.partition(".")[0]: _read_split(
            path, max_bad_rows, may_be_empty=path not in files_or_folders
        )
        for path in paths
    }
    if len(splits) < len(paths):
        raise UsageError("--labels: two files have the same name, which names their split")
    return [*splits.values()]


def _label_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    paths = [path / f"{split}.csv" for split in SPLITS]
    found = [path for path in paths if path.exists()]
    if not found:
        raise InputError(f"{path}: has none of {', '.join(path.name for path in paths)}")
    if not any(one.stat().st_size for one in found):
        raise InputError(f"{path}: has no label; {', '.join(one.name for one in found)} are empty")
    return found


def _read_split(path: Path, max_bad_rows: float, *, may_be_empty: bool) -> Split:
    empty = may_be_empty and not path.stat().st_size
    blocks = [_NO_LINES] if empty else read_lines(path)
    rows = pl.concat(judge_labels(lines.lazy()).collect() for lines in blocks)
    rows = mark_repeats(rows, "id", RowProblem.DUPLICATE_ID)
    bad_rows = bad_rows_of(path, rows)
    refuse_too_many(path, bad_rows, rows.height, max_bad_rows)
    images = rows.filter(is_good).select("id", "class_id", "dir")
    return Split(path.name.partition(".")[0], images, bad_rows)


def judge_labels(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return `line`, `class_id` and `id` int64, `dir` and `problem` (a `RowProblem`, null for a
    good row) of frames of `line` and `text` (null if not UTF-8). A path may lack the folder.
    """
    first, path = (
        stripped(pl.col("text").str.splitn(",", 2).struct.field(f"field_{n}")) for n in (0, 1)
    )
    class_id = first.str.extract("^([0-9]{1,18})$").cast(pl.Int64)
    read = groups_of(lines, path, _LABELLED).cast({"id": pl.Int64})
    return read.select(
        "line",
        "id",
        class_id=class_id,
        dir=path,
        problem=pl.coalesce(
            *problems_of_text(),
            when(path.is_null(), RowProblem.MISSING_COLUMNS),
            when(class_id.is_null(), RowProblem.BAD_CLASS_ID),
            *problems_of_path(),
        ),
    )
