"""Lists of a mirror's files, as `find` makes them (`./original/0000/1025000.png`), and what splits
need of them, as `rsync --files-from` takes it.

A list has millions of lines of which a run wants a few: it is read block by block, and what is not
wanted is gone with its block.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.model.errors import InputError, UsageError
from dafre_fast.model.files import ORIGINALS, SMALL, bucket, replacing
from dafre_fast.model.reason import RowProblem
from dafre_fast.tables.bad_rows import refuse_too_many, table_name
from dafre_fast.tables.blocks import read_lines
from dafre_fast.tables.catalogue import SPLITS
from dafre_fast.tables.problems import LONGEST
from dafre_fast.tables.text import mark_repeats

TREES = {ORIGINALS: "originalext", SMALL: "512jpg"}
"""Trees of a mirror, and what the original calls the lists of what is wanted of them."""
_MISSING = {ORIGINALS: "*", SMALL: "jpg"}
"""Extensions of what is not there, as far as they are known."""
_FOLDER = "(?P<folder>[0-9]{1,18})"
_FILE = r"(?P<id>[0-9]{1,18})\.(?P<extension>[0-9A-Za-z]{1,5})$"
_LISTED = rf"^(?:\./)?(?P<tree>[^/\\]+)/{_FOLDER}/{_FILE}"
_LABELLED = rf"^(?:\./)?(?:{_FOLDER}[/\\])?{_FILE}"
_is_good = pl.col("problem").is_null()


class Split(NamedTuple):
    """`images` has a row per image, in the order of the file: `id` int64."""

    name: str
    images: pl.DataFrame
    bad_rows: pl.DataFrame


class FileList(NamedTuple):
    """`rows` has a row per file that is wanted, in the order of the list: `tree`, `id` int64,
    `extension` (lower case) and `name`, the path that it has there (`original/0000/1025000.png`).
    Of `lines` that are not blank `unwanted` are of other images, `elsewhere` in other trees, and
    `bad_rows` are as in `Catalogue.bad_rows`.
    """

    rows: pl.DataFrame
    lines: int
    unwanted: int
    elsewhere: int
    bad_rows: pl.DataFrame


def read_splits(files_or_folders: Sequence[Path], max_bad_rows: float) -> list[Split]:
    """Label files, `class_id,path` per line; of a folder train.csv, val.csv and test.csv, as far as
    they are there. A split is called as its file, without extensions. Of several rows of an image
    in a split the first counts.

    Raises InputError for a file that is missing, cannot be read or has more malformed rows than
    allowed, and UsageError where two are called the same.
    """
    paths = [path for one in files_or_folders for path in _label_files(one)]
    splits = {path.name.partition(".")[0]: _read_split(path, max_bad_rows) for path in paths}
    if len(splits) < len(paths):
        raise UsageError("--labels names two splits of one name")
    return [*splits.values()]


def _label_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    paths = [path / f"{split}.csv" for split in SPLITS]
    found = [path for path in paths if path.exists()]
    if not found:
        raise InputError(f"{path}: has none of {', '.join(path.name for path in paths)}")
    return found


def _read_split(path: Path, max_bad_rows: float) -> Split:
    rows = pl.concat(judge_labels(lines.lazy()).collect() for lines in read_lines(path))
    rows = mark_repeats(rows, "id", RowProblem.DUPLICATE_ID)
    bad_rows = _bad_rows(path, rows)
    refuse_too_many(path, bad_rows, rows.height, max_bad_rows)
    return Split(path.name.partition(".")[0], rows.filter(_is_good).select("id"), bad_rows)


def judge_labels(lines: pl.LazyFrame) -> pl.LazyFrame:
    """`line`, `class_id` and `id` int64, and `problem` (a `RowProblem`, null for a good row), of
    `line` and `text` (null where it is not UTF-8). The file of an image may stand in no folder.
    """
    first, path = (
        _stripped(pl.col("text").str.splitn(",", 2).struct.field(f"field_{n}")) for n in (0, 1)
    )
    class_id = first.str.extract("^([0-9]{1,18})$").cast(pl.Int64)
    read = _read(lines, path, _LABELLED).cast({"id": pl.Int64})
    return read.select(
        "line",
        "id",
        class_id=class_id,
        problem=pl.coalesce(
            *_problems_of_text(),
            _when(path.is_null(), RowProblem.MISSING_COLUMNS),
            _when(class_id.is_null(), RowProblem.BAD_CLASS_ID),
            *_problems_of_path(),
        ),
    )


def read_file_list(path: Path, wanted: pl.Series, max_bad_rows: float) -> FileList:
    """What is there of the `wanted` ids, in `TREES`. Of several files of an image in a tree the
    first counts; lines of images that are not wanted are judged by themselves alone.

    Raises InputError where the list cannot be read or has more malformed lines than allowed.
    """
    ids = wanted.unique().to_frame("id")
    kept, lines, unwanted, elsewhere = [], 0, 0, 0
    for block in read_lines(path):
        rows = judge_files(block.lazy()).collect()
        good = rows.filter(_is_good)
        in_trees = good.filter(pl.col("tree").is_in([*TREES]))
        found = in_trees.join(ids, on="id", how="semi")
        kept += [found, rows.filter(~_is_good)]
        lines += rows.height
        elsewhere += good.height - in_trees.height
        unwanted += in_trees.height - found.height
    judged = _without_repeats(pl.concat(kept)).sort("line")
    bad_rows = _bad_rows(path, judged)
    refuse_too_many(path, bad_rows, lines, max_bad_rows)
    good = judged.filter(_is_good).drop("line", "problem")
    return FileList(good, lines, unwanted, elsewhere, bad_rows)


def judge_files(lines: pl.LazyFrame) -> pl.LazyFrame:
    """`line`, the columns of `FileList.rows` and `problem` (a `RowProblem`, null for a good row),
    of `line` and `text` (null where it is not UTF-8). The tree may be any; the folder must tell
    `id % 1000`, in four digits, as Danbooru has it, or more or fewer.
    """
    read = _read(lines, _stripped(pl.col("text")), _LISTED).cast({"id": pl.Int64})
    return read.select(
        "line",
        "tree",
        "id",
        pl.col("extension").str.to_lowercase(),
        name=_stripped(pl.col("text")).str.strip_prefix("./"),
        problem=pl.coalesce(*_problems_of_text(), *_problems_of_path()),
    )


def write_list(names: Iterable[str], path: Path) -> None:
    """A path per line. Raises OutputError where that cannot be done."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(f"./{name}\n" for name in names)


def write_lists(split: Split, files: FileList, folder: Path) -> Mapping[str, int]:
    """Write `{split}_originalext.txt` and `{split}_512jpg.txt`, the files of the split's images in
    its order, and `{split}_missing.txt`, those that are not there; how many are there, by tree.

    Raises OutputError where that cannot be done.
    """
    there, missing = dict[str, int](), list[str]()
    for tree, called in TREES.items():
        of_tree = files.rows.lazy().filter(tree=tree)
        images = split.images.lazy().join(of_tree, on="id", how="left", maintain_order="left")
        names = images.select("id", "name").collect()
        found = names["name"].drop_nulls()
        write_list(found, folder / f"{split.name}_{called}.txt")
        lost = names.filter(pl.col("name").is_null())["id"]
        missing += [f"{tree}/{bucket(one)}/{one}.{_MISSING[tree]}" for one in lost]
        there[tree] = len(found)
    write_list(missing, folder / f"{split.name}_missing.txt")
    return there


def _problems_of_text() -> Iterable[pl.Expr]:
    yield _when(pl.col("text").is_null(), RowProblem.NOT_UTF8)
    yield _when(pl.col("text").str.len_bytes() > LONGEST, RowProblem.TOO_LONG)


def _problems_of_path() -> Iterable[pl.Expr]:
    yield _when(pl.col("id").is_null(), RowProblem.BAD_PATH)
    yield _when(pl.col("folder").cast(pl.Int64) != pl.col("id") % 1000, RowProblem.WRONG_FOLDER)


def _read(lines: pl.LazyFrame, path: pl.Expr, pattern: str) -> pl.LazyFrame:
    """With the named groups of a pattern as columns, null where it does not fit."""
    return lines.with_columns(groups=path.str.extract_groups(pattern)).unnest("groups")


def _stripped(text: pl.Expr) -> pl.Expr:
    return text.str.strip_chars(" \t\r")


def _when(is_so: pl.Expr, problem: RowProblem) -> pl.Expr:
    return pl.when(is_so).then(pl.lit(problem.value))


def _without_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """In each tree by itself."""
    bad = rows.filter(~_is_good)
    trees = (rows.filter(_is_good, tree=tree) for tree in TREES)
    return pl.concat([bad, *(mark_repeats(tree, "id", RowProblem.DUPLICATE_ID) for tree in trees)])


def _bad_rows(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    table = pl.lit(table_name(path)).alias("table")
    return rows.filter(~_is_good).select(table, "line", "problem")
