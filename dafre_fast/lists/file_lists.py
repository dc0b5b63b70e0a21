"""Read lists of a mirror's files, as `find` prints them (`./original/0000/1025000.png`), and write
the part that splits need, as `rsync --files-from` reads it.

A list has millions of lines, of which a run needs a few: it is read block by block, and the lines
that are not needed are dropped with their block.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.atomic import replacing
from dafre_fast.core.layout import ORIGINALS, SMALL, image_path
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.blocks import read_lines
from dafre_fast.tables.labels import Split
from dafre_fast.tables.marks import bad_rows_of, is_good, mark_repeats
from dafre_fast.tables.path_columns import (
    FILE,
    FOLDER,
    groups_of,
    problems_of_path,
    problems_of_text,
    stripped,
)

TREES = {ORIGINALS: "originalext", SMALL: "512jpg"}
"""Trees of a mirror, and the names of their lists in the original."""
_MISSING = {ORIGINALS: "*", SMALL: "jpg"}
"""Extensions of missing files in each tree; `*` if unknown."""
_LISTED = rf"^(?:\./)?(?P<tree>[^/\\]+)/{FOLDER}/{FILE}"


class FileList(NamedTuple):
    """The wanted files of a mirror. `rows` has a row per file, in the order of the list: `tree`,
    `id` int64, `extension` (lower case) and `name`, its path there (`original/0000/1025000.png`).
    `lines` counts the lines that are not blank, `unwanted` those of other images, `elsewhere` those
    in other trees. `bad_rows` are as in `Catalogue.bad_rows`.
    """

    rows: pl.DataFrame
    lines: int
    unwanted: int
    elsewhere: int
    bad_rows: pl.DataFrame


def read_file_list(path: Path, wanted: pl.Series, max_bad_rows: float) -> FileList:
    """Find the files of the `wanted` ids (int64) in `TREES`. If an image has several files in a
    tree, the first counts. Lines of other images are not compared with each other.

    Raises InputError if the list cannot be read or has more malformed lines than allowed.
    """
    ids = wanted.unique().to_frame("id")
    kept, lines, unwanted, elsewhere = [], 0, 0, 0
    for block in read_lines(path):
        rows = judge_files(block.lazy()).collect()
        good = rows.filter(is_good)
        in_trees = good.filter(pl.col("tree").is_in([*TREES]))
        found = in_trees.join(ids, on="id", how="semi")
        kept += [found, rows.filter(~is_good)]
        lines += rows.height
        elsewhere += good.height - in_trees.height
        unwanted += in_trees.height - found.height
    judged = _without_repeats(pl.concat(kept)).sort("line")
    bad_rows = bad_rows_of(path, judged)
    refuse_too_many(path, bad_rows, lines, max_bad_rows)
    good = judged.filter(is_good).drop("line", "problem")
    return FileList(good, lines, unwanted, elsewhere, bad_rows)


def judge_files(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return `line`, the columns of `FileList.rows` and `problem` (a `RowProblem`, null for a good
    row) of frames of `line` and `text` (null if not UTF-8). The tree may have any name. The folder
    must be `id % 1000`, with any number of leading zeros.
    """
    read = groups_of(lines, stripped(pl.col("text")), _LISTED).cast({"id": pl.Int64})
    return read.select(
        "line",
        "tree",
        "id",
        pl.col("extension").str.to_lowercase(),
        name=stripped(pl.col("text")).str.strip_prefix("./"),
        problem=pl.coalesce(*problems_of_text(), *problems_of_path()),
    )


def write_list(names: Iterable[str], path: Path) -> None:
    """Write a path per line. Raises OutputError if the system refuses."""
    with replacing(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(f"./{name}\n" for name in names)


def write_lists(split: Split, files: FileList, folder: Path) -> Mapping[str, int]:
    """Write the lists of a split, in its order: `{split}_originalext.txt` and `{split}_512jpg.txt`
    with the files that the mirror has, and `{split}_missing.txt` with those that it lacks. Return
    the number of files that it has, by tree.

    Raises OutputError if the system refuses.
    """
    there, missing = dict[str, int](), list[str]()
    for tree, called in TREES.items():
        of_tree = files.rows.lazy().filter(tree=tree)
        images = split.images.lazy().join(of_tree, on="id", how="left", maintain_order="left")
        names = images.select("id", "name").collect()
        found = names["name"].drop_nulls()
        write_list(found, folder / f"{split.name}_{called}.txt")
        lost = names.filter(pl.col("name").is_null())["id"]
        missing += [f"{tree}/{image_path(one, _MISSING[tree])}" for one in lost]
        there[tree] = len(found)
    write_list(missing, folder / f"{split.name}_missing.txt")
    return there


def _without_repeats(rows: pl.DataFrame) -> pl.DataFrame:
    """Mark repeated ids, in each tree separately."""
    bad = rows.filter(~is_good)
    trees = (rows.filter(is_good, tree=tree) for tree in TREES)
    return pl.concat([bad, *(mark_repeats(tree, "id", RowProblem.DUPLICATE_ID) for tree in trees)])
