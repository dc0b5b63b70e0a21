"""Read posts, Danbooru's records of images with their tags, in all forms that `post_shape` knows.

Posts are written to temporary Parquet files as they are read, with their tags as numbers, so that
memory holds a few blocks and each distinct tag once.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.marks import bad_rows_of, is_good, when
from dafre_fast.tables.post_shape import FLAGS, LISTS, SHAPE, TEXTS
from dafre_fast.tables.record_files import Table, read_records, tables_of
from dafre_fast.tables.writing import write_parquet

_BATCH_ROWS, _PART_ROWS = 20_000, 200_000


class Posts(NamedTuple):
    """All posts of some files. `rows` has a row per good post, in the order of the files: id int64,
    image_width and image_height int64 (pixels), file_ext (lower case), is_pending, is_flagged,
    is_deleted and is_banned (null if the post lacks them), rating, and tags_cat0, tags_cat3 and
    tags_cat4: lists of uint32, indices into `names` of that category. `bad_rows` are as in
    `Catalogue.bad_rows`.
    """

    rows: pl.LazyFrame
    names: Mapping[int, pl.Series]
    bad_rows: pl.DataFrame


def read_posts(paths: Sequence[Path], folder: Path, max_bad_records: float) -> Posts:
    """Read posts from files, and from all files in folders, into temporary files in `folder`.

    A post whose id occurred before is a bad row. Raises InputError if a file cannot be read, has
    more bad records than allowed, or has no record, and OutputError if `folder` cannot be written.
    """
    numberings = {category: _Numbering() for category in CATEGORIES}
    seen, bad_rows, parts = _Seen(), list[pl.DataFrame](), _Parts(folder)
    for table in tables_of(paths):
        found, height = list[pl.DataFrame](), 0
        for block in _larger(read_records(table, SHAPE)):
            judged = seen.judge(organise(block.lazy()).collect())
            # Even a filter that keeps all would copy all lists.
            all_good = judged["problem"].null_count() == judged.height
            good = judged if all_good else judged.filter(is_good)
            parts.add(good.lazy().select(_numbered(numberings)).collect())
            remarked = judged.with_columns(problem=pl.coalesce("problem", "remark"))
            found.append(bad_rows_of(table.path, remarked))
            height += block.height
        bad_rows.append(pl.concat(found))
        refuse_too_many(table.path, bad_rows[-1], height, max_bad_records)
    names = {category: numbering.names() for category, numbering in numberings.items()}
    return Posts(parts.finish(), names, pl.concat(bad_rows))


def tells_tags(table: Table) -> bool:
    """Return whether any of the first posts of a table has tags with categories, be it an empty
    list of them.

    Raises InputError if a file cannot be read.
    """
    with_categories = pl.col("remark").ne_missing(RowProblem.NO_CATEGORIES.value)
    first = next(read_records(table, SHAPE)).lazy().filter(with_categories)
    told = pl.any_horizontal(pl.col(*TEXTS, *LISTS).is_not_null())
    return bool(first.select(told.any()).collect().item())


def _larger(blocks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join small blocks: each costs some milliseconds, whatever its size."""
    waiting = list[pl.DataFrame]()
    for block in blocks:
        waiting.append(block)
        if sum(frame.height for frame in waiting) >= _BATCH_ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def organise(posts: pl.LazyFrame) -> pl.LazyFrame:
    """Return the columns that later steps need, with tags by category: step 1 of the original.

    `posts` has `file`, `line`, `problem` and the columns of `SHAPE`. The columns are those of
    `Posts.rows`, but with tags as lists of names, and `file`, `line`, `problem` and `remark`. Both
    are `RowProblem`s: `problem` of a bad post, `remark` of a good post with odd tags.
    """
    fits = pl.col("id").str.contains("^0*[0-9]{1,18}$").fill_null(value=False)
    untagged = pl.all_horizontal(pl.col(*TEXTS, *LISTS).is_null())
    return posts.select(
        "file",
        "line",
        pl.col("id").cast(pl.Int64, strict=False),
        *(pl.col(name).cast(pl.Int64, strict=False) for name in ("image_width", "image_height")),
        pl.col("file_ext").str.to_lowercase(),
        *FLAGS,
        "rating",
        *(_names(category).alias(column(category)) for category in CATEGORIES),
        "remark",
        problem=pl.coalesce(
            "problem", when(~fits, RowProblem.BAD_ID), when(untagged, RowProblem.NO_TAGS)
        ),
    )


def _names(category: int) -> pl.Expr:
    name = CATEGORIES[category]
    split = pl.col(f"tag_string_{name}").str.split(" ")
    of_text = split.list.eval(pl.element().filter(pl.element() != ""))
    return pl.coalesce(f"names_{name}", of_text).fill_null([])


def _numbered(numberings: "Mapping[int, _Numbering]") -> list[pl.Expr]:
    numbers = [numbering.of(column(category)) for category, numbering in numberings.items()]
    return [pl.exclude("file", "line", "problem", "remark", *map(column, CATEGORIES)), *numbers]


class _Numbering:
    """A numbering of names from 0, in no particular order."""

    def __init__(self) -> None:
        self._categories = pl.Categories.random()
        self._kind = pl.Categorical(self._categories)
        self._held = pl.Series(
            dtype=self._kind
        )  # polars drops all categories with their last column

    def of(self, column: str) -> pl.Expr:
        """Return an expression: a column of lists of names, with numbers in their place."""
        return pl.col(column).list.eval(pl.element().cast(self._kind).to_physical())

    def names(self) -> pl.Series:
        """Return all names so far, by number."""
        return self._categories.to_series()


class _Seen:
    """The ids of all posts so far: an array for ids that Danbooru may reach, a set for others."""

    _LARGEST = 1 << 26

    def __init__(self) -> None:
        self._common = np.zeros(0, np.bool_)
        self._others = set[int]()

    def judge(self, posts: pl.DataFrame) -> pl.DataFrame:
        """Mark the good posts whose id occurred before."""
        good = posts["problem"].is_null()
        ids = posts["id"].filter(good)
        again = self._among(ids) | ~ids.is_first_distinct()
        if not again.any():
            return posts
        marked = good.to_numpy(writable=True)
        marked[marked] = again.to_numpy()
        duplicate = pl.lit(RowProblem.DUPLICATE_ID.value)
        marks = pl.when(pl.Series(marked)).then(duplicate)
        return posts.with_columns(problem=marks.otherwise("problem"))

    def _among(self, ids: pl.Series) -> pl.Series:
        """Return which of these ids occurred before, and remember all of them."""
        numbers = ids.to_numpy()
        common = numbers < self._LARGEST
        top = int(numbers.max(initial=0, where=common)) + 1
        if top > len(self._common):
            size = min(self._LARGEST, max(top, 2 * len(self._common)))
            self._common = np.pad(self._common, (0, size - len(self._common)))
        before = np.zeros(len(numbers), np.bool_)
        before[common] = self._common[numbers[common]]
        before[~common] = [int(number) in self._others for number in numbers[~common]]
        self._common[numbers[common]] = True
        self._others.update(numbers[~common].tolist())
        return pl.Series(before)


class _Parts:
    """Parquet files of at least `_PART_ROWS` rows each, into which frames are collected."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._written = folder, list[Path]()
        self._waiting = list[pl.DataFrame]()

    def add(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        if sum(frame.height for frame in self._waiting) >= _PART_ROWS:
            self._write()

    def finish(self) -> pl.LazyFrame:
        """Write the rest and return all rows in order."""
        if self._waiting:
            self._write()
        return pl.scan_parquet(self._written, glob=False)

    def _write(self) -> None:
        part = self._folder / f"{len(self._written):06}.parquet"
        rows = pl.concat(self._waiting)
        write_parquet(rows, part, compression="lz4", statistics=False)
        self._waiting = []
        self._written.append(part)
