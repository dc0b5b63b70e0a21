"""Posts: Danbooru's records of images with their tags, in both shapes found in the wild.

Danbooru2018 to 2020 have `"tags": [{"id", "name", "category"}, …]`, numbers as text; newer metadata
has names of a category in one text, `tag_string_general` and so on, with a space between them.
Lines of JSON or Parquet.

What is kept of posts goes to files of their own as it is read, tags as numbers, so that memory
holds a few blocks and each distinct tag once.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from dafre_fast.core.categories import ALL_CATEGORIES, CATEGORIES, column
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.json_lines import LONGEST_LINE, PlainLines, Shape, Text
from dafre_fast.tables.marks import bad_rows_of, is_good, when
from dafre_fast.tables.record_files import files_of, read_records
from dafre_fast.tables.writing import write_parquet

FLAGS = ("is_pending", "is_flagged", "is_deleted", "is_banned")
_BATCH_ROWS, _PART_ROWS = 20_000, 200_000


class _Tag(msgspec.Struct):
    name: Text = None
    category: Text = None


class _Post(msgspec.Struct):
    id: Text = None
    file_ext: Text = None
    image_width: Text = None
    image_height: Text = None
    is_pending: bool | None = None
    is_flagged: bool | None = None
    is_deleted: bool | None = None
    is_banned: bool | None = None
    rating: Text = None
    tags: list[_Tag | None] | None = None
    tag_string_general: Text = None
    tag_string_copyright: Text = None
    tag_string_character: Text = None


_NO_TEXT: Mapping[str, pl.DataType] = {
    **dict.fromkeys(FLAGS, pl.Boolean()),
    "tags": pl.List(pl.Struct({"name": pl.String(), "category": pl.String()})),
}


def _plain(block: bytes) -> PlainLines:
    """Names of the old shape become texts of the new one; `tags` is null."""
    # Who reads no JSON does without the compiler.
    from dafre_fast.tables.kernels.post_lines import (
        COLUMNS,
        GOOD,
        NULL,
        SEPARATOR,
        UNREAD,
        parse_posts,
    )

    text = np.frombuffer(block, np.uint8)
    states, starts, columns = parse_posts(text, LONGEST_LINE)
    rows = pl.read_csv(
        columns.tobytes(),
        has_header=False,
        schema={name: SHAPE.fields[name] for name in COLUMNS},
        separator=chr(SEPARATOR),
        null_values=chr(NULL),
        empty_string_is_null=False,
        quote_char=None,
    ).with_columns(
        pl.Series("line", np.flatnonzero(states == GOOD), pl.UInt32),
        pl.lit(None, SHAPE.fields["tags"]).alias("tags"),
    )
    odd = np.flatnonzero(states == UNREAD).tolist()
    others = {line: block[starts[line] : starts[line + 1]] for line in odd}
    return PlainLines(rows, others, len(states))


_FIELDS = {name: _NO_TEXT.get(name, pl.String()) for name in _Post.__struct_fields__}
SHAPE = Shape(_FIELDS, _Post, _plain)


class Posts(NamedTuple):
    """`rows` has a row per good post, in the order of the files: id, image_width and image_height
    int64, file_ext (lower case), is_pending, is_flagged, is_deleted and is_banned (null where the
    post does not say), rating, and tags_cat0, tags_cat3 and tags_cat4, lists of uint32: places in
    `names` of the category. `bad_rows` is as `Catalogue.bad_rows`.
    """

    rows: pl.LazyFrame
    names: Mapping[int, pl.Series]
    bad_rows: pl.DataFrame


def read_posts(paths: Sequence[Path], folder: Path, max_bad_records: float) -> Posts:
    """Read files, and all files in folders, into files in `folder`, which is there.

    A post that was there before is set aside. Raises InputError for a file that cannot be read,
    has more bad records than allowed, or no record; OutputError where `folder` cannot be written.
    """
    numberings = {category: _Numbering() for category in CATEGORIES}
    seen, bad_rows, parts = _Seen(), list[pl.DataFrame](), _Parts(folder)
    for path in files_of(paths):
        found, height = list[pl.DataFrame](), 0
        for block in _larger(read_records(path, SHAPE)):
            judged = seen.judge(organise(block.lazy()).collect())
            good = judged.filter(is_good)
            parts.add(good.lazy().select(_numbered(numberings)).collect())
            remarked = judged.with_columns(problem=pl.coalesce("problem", "remark"))
            found.append(bad_rows_of(path, remarked))
            height += block.height
        bad_rows.append(pl.concat(found))
        refuse_too_many(path, bad_rows[-1], height, max_bad_records)
    names = {category: numbering.names() for category, numbering in numberings.items()}
    return Posts(parts.finish(), names, pl.concat(bad_rows))


def tells_tags(path: Path) -> bool:
    """True where one of the first posts of a file says anything of tags.

    Raises InputError where the file cannot be read.
    """
    told = [pl.col("tags"), *(pl.col(f"tag_string_{name}") for name in CATEGORIES.values())]
    first = next(read_records(path, SHAPE))
    return bool(first.select(pl.any_horizontal(one.is_not_null().any() for one in told)).item())


def _larger(blocks: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in fewer blocks, for each costs some milliseconds, whatever its size."""
    waiting = list[pl.DataFrame]()
    for block in blocks:
        waiting.append(block)
        if sum(frame.height for frame in waiting) >= _BATCH_ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def organise(posts: pl.LazyFrame) -> pl.LazyFrame:
    """Step 1 of the original: of each post what is needed later, its tags by category.

    `posts` has `line`, `problem` and the fields of `SHAPE`. Columns as in `Posts.rows`, tags as
    lists of their names, and `line`, `problem` and `remark`: `RowProblem`s of a post that is set
    aside, and of one of which a tag is. A tag without a name or in no category is in no list.
    """
    fits = pl.col("id").str.contains("^0*[0-9]{1,18}$").fill_null(value=False)
    texts = [pl.col(f"tag_string_{name}").is_null() for name in CATEGORIES.values()]
    untagged = pl.all_horizontal(pl.col("tags").is_null(), *texts)
    return posts.select(
        "line",
        pl.col("id").cast(pl.Int64, strict=False),
        *(pl.col(name).cast(pl.Int64, strict=False) for name in ("image_width", "image_height")),
        pl.col("file_ext").str.to_lowercase(),
        *FLAGS,
        "rating",
        *(_names(category).alias(column(category)) for category in CATEGORIES),
        problem=pl.coalesce(
            "problem", when(~fits, RowProblem.BAD_ID), when(untagged, RowProblem.NO_TAGS)
        ),
        remark=pl.coalesce(
            when(is_good & _has_tag(~_in_a_category), RowProblem.UNKNOWN_CATEGORY),
            when(is_good & _has_tag(~_named), RowProblem.UNNAMED_TAG),
        ),
    )


_field = pl.element().struct.field
_named = (_field("name") != "").fill_null(value=False)
_in_a_category = _field("category").is_in(ALL_CATEGORIES).fill_null(value=False)


def _has_tag(of_this_kind: pl.Expr) -> pl.Expr:
    return pl.col("tags").list.eval(of_this_kind).list.any()


def _names(category: int) -> pl.Expr:
    of_it = (_field("category") == str(category)) & _named
    listed = pl.col("tags").list.eval(_field("name").filter(of_it))
    text = pl.col(f"tag_string_{CATEGORIES[category]}").str.split(" ")
    split = text.list.eval(pl.element().filter(pl.element() != ""))
    return pl.coalesce(listed, split).fill_null([])


def _numbered(numberings: "Mapping[int, _Numbering]") -> list[pl.Expr]:
    numbers = [numbering.of(column(category)) for category, numbering in numberings.items()]
    return [pl.exclude("line", "problem", "remark", *map(column, CATEGORIES)), *numbers]


class _Numbering:
    """Numbers names from 0, in no order that could be relied on."""

    def __init__(self) -> None:
        self._categories = pl.Categories.random()
        self._kind = pl.Categorical(self._categories)
        self._held = pl.Series(dtype=self._kind)  # with its last column polars forgets them all

    def of(self, column: str) -> pl.Expr:
        """The names in lists as numbers."""
        return pl.col(column).list.eval(pl.element().cast(self._kind).to_physical())

    def names(self) -> pl.Series:
        """By number."""
        return self._categories.to_series()


class _Seen:
    """Ids of the posts so far: a bit of each that Danbooru may reach, and all others."""

    _LARGEST = 1 << 26

    def __init__(self) -> None:
        self._common = np.zeros(0, np.bool_)
        self._others = set[int]()

    def judge(self, posts: pl.DataFrame) -> pl.DataFrame:
        """Mark good posts that were there before."""
        good = posts["problem"].is_null()
        ids = posts["id"].filter(good)
        again = self._among(ids) | ~ids.is_first_distinct()
        repeated = pl.Series("line", posts["line"].filter(good).filter(again))
        marked = pl.col("line").is_in(repeated.implode()) & is_good
        duplicate = pl.lit(RowProblem.DUPLICATE_ID.value)
        return posts.with_columns(problem=pl.when(marked).then(duplicate).otherwise("problem"))

    def _among(self, ids: pl.Series) -> pl.Series:
        """Which of these were there before; all of them are from now on."""
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
    """Frames, written to files of about as many rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting, self._written = list[pl.DataFrame](), 0

    def add(self, rows: pl.DataFrame) -> None:
        self._waiting.append(rows)
        if sum(frame.height for frame in self._waiting) >= _PART_ROWS:
            self._write()

    def finish(self) -> pl.LazyFrame:
        """All rows in order."""
        if self._waiting:
            self._write()
        return pl.scan_parquet(self._folder / "*.parquet")

    def _write(self) -> None:
        part = self._folder / f"{self._written:06}.parquet"
        rows = pl.concat(self._waiting)
        write_parquet(rows, part, compression="lz4", statistics=False)
        self._waiting, self._written = [], self._written + 1
