"""The index of a dataset for the gallery: files that are built once and then read from disk.

    rows.arrow      the manifest as it lies in memory, so that texts are compared without decoding
    terms.parquet   each class, split, status and tag, with its images and its place in postings
    grid.npy        int64 (lines, rows): the values that a page of images needs; lines are those of
                    `Column`, then width and height of each output
    postings.npy    uint32, the ascending row numbers of each term, all lists concatenated
    tags.npy        uint32, the tags of each row as places in terms, all lists concatenated
    tag_starts.npy  int64 (kinds of tags, rows + 1): the start of each row's list, then the end
    ranks.npy       uint32 (columns, rows): ranks within each of `ordered_columns`, from 1, equal
                    for equal values; 0 if there is no value
    dates.npy       int64 (columns, rows): microseconds since 1970 of each of `date_columns`;
                    NO_DATE if there is none
    by_id.npy       uint32, row numbers in the order of ids
    index.json      the revision, and size and time of each table it was made from; written last

The arrays are memory-mapped, so memory holds only the parts in use. Rows are numbered from 0, in
the order of the manifest.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, auto
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.atomic import check_writable, replacing
from dafre_fast.core.categories import TAG_KINDS, column
from dafre_fast.core.errors import InputError, OutputError
from dafre_fast.core.layout import LABELS, MANIFEST
from dafre_fast.core.settings.images import HEAD_CROP, Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.reading import open_manifest, open_tags
from dafre_fast.dataset.shown_boxes import shown_boxes
from dafre_fast.gallery.answers import Answers
from dafre_fast.gallery.marks import Marks
from dafre_fast.gallery.verdicts import People, Verdict, merge
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_arrow, write_parquet

BOX = ("left", "top", "right", "bottom")
_NEEDED = (*BOX, "original_width", "original_height", "error_message")
_REVISION = 5
"""Must be raised by any change of code that changes the files."""
_ARRAYS = ("grid", "postings", "tags", "tag_starts", "ranks", "dates", "by_id")
_FILES = ("rows.arrow", "terms.parquet", *(f"{name}.npy" for name in _ARRAYS), "index.json")
DATES = ("date", "created_at", "last_modified")
"""Columns that `date:` may mean: the first that a manifest has."""
NO_DATE = -(2**63)
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_SINGLE = ("class", "split", "status")
"""Kinds of which an image has exactly one term."""

RowNumbers = NDArray[np.uint32]
Places = NDArray[np.uint32]


class Column(IntEnum):
    """The first lines of the grid; width and height of each output follow.

    Class, split and status are places in `terms`. Sizes are in pixels, 0 if there is no picture.
    `ORIGINAL` and `HEAD` are the shorter sides of the original and of the head crop; the edges of
    the head box are in millionths of width and height of the full image.
    """

    ID = 0
    CLASS = auto()
    SPLIT = auto()
    STATUS = auto()
    ORIGINAL = auto()
    HEAD = auto()
    LEFT = auto()
    TOP = auto()
    RIGHT = auto()
    BOTTOM = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """An open index. Its arrays are those of the files; see the top of this module.

    `rows` is the manifest with a column `class`, a name that is unique for each class. `terms` has
    `kind`, `name`, `key` (the name for searching: lower case, spaces for `_`), `squeezed` (the key
    without spaces), `alone` (whether no class or tag of another name or kind has the same),
    `images`, and `start`, the place of its list in `postings`; terms of one kind are sorted by
    images, most first. The lines of `tag_starts` are in the order of `TAG_KINDS`.
    """

    outputs: tuple[Output, ...]
    rows: pl.LazyFrame
    terms: pl.DataFrame
    grid: NDArray[np.int64]
    postings: RowNumbers
    tags: Places
    tag_starts: NDArray[np.int64]
    ranks: NDArray[np.uint32]
    dates: NDArray[np.int64]
    by_id: RowNumbers
    ids: NDArray[np.int64]
    """The ids of all images, int64, ascending: those of the rows in `by_id`."""
    answers: Answers | None = None
    marks: Marks | None = None
    reviews: tuple[Marks, ...] = ()
    """Files of other people, whose verdicts count, too."""

    def rows_of(self, ids: Iterable[int] | NDArray[np.int64]) -> RowNumbers:
        """Return the row numbers of those of some images that the index has."""
        sought = ids if isinstance(ids, np.ndarray) else np.fromiter(ids, np.int64)
        if not len(self.ids):
            return self.by_id[:0]
        at = np.minimum(np.searchsorted(self.ids, sought), len(self.ids) - 1)
        rows: RowNumbers = self.by_id[at[self.ids[at] == sought]]
        return rows

    def verdicts(self) -> People:
        """Return the verdicts of all people. Raises InputError."""
        return merge([file.verdicts() for file in self._files()])

    def verdicts_of(self, person: str) -> Mapping[int, Verdict]:
        """Return the verdicts of one person. Raises InputError."""
        found = merge([file.verdicts(person) for file in self._files()])
        return found.get(person, {})

    def revision(self) -> int:
        """Return a number that grows whenever marks or verdicts change."""
        return sum(file.lines() for file in self._files())

    def _files(self) -> Sequence[Marks]:
        return [*self.reviews, *([self.marks] if self.marks else [])]


def index_dataset(dataset: Path, folder: Path, begin: Callable[[], None]) -> None:
    """Build the index of a dataset in `folder`, unless there is one that is up to date.

    Calls `begin` before building. A lock lets one process build at a time; others wait. In a folder
    that cannot be written an index that is up to date is enough. Raises InputError if the dataset
    cannot be read, and OutputError if `folder` has to be written and cannot.
    """
    source, tags = open_manifest(dataset), open_tags(dataset)
    outputs = read_outputs(dataset)
    needed = (*_NEEDED, *(name for output in outputs for name in _sides(output)))
    missing = [name for name in needed if name not in source.collect_schema()]
    if missing:
        raise InputError(f"{dataset / MANIFEST}: has no column {', '.join(missing)}")
    made_from, stamp = _made_from(dataset, outputs), folder / "index.json"
    if not os.access(folder, os.W_OK):
        if _is_up_to_date(folder, made_from):
            return
        check_writable(folder, "--index")
    with reading(dataset, "its tables cannot be read"), _alone(folder):
        if _is_up_to_date(folder, made_from):
            return
        begin()
        stamp.unlink(missing_ok=True)
        _build(source, tags, outputs, folder)
        with replacing(stamp) as part:
            part.write_bytes(made_from)


def _is_up_to_date(folder: Path, made_from: bytes) -> bool:
    try:
        there = all((folder / name).exists() for name in _FILES)
        return there and (folder / "index.json").read_bytes() == made_from
    except OSError:
        return False


def open_index(folder: Path) -> Index:
    """Open the index that `index_dataset` built in `folder`."""
    arrays: dict[str, Any] = {name: _mapped(folder, name) for name in _ARRAYS}
    stamp = msgspec.json.decode((folder / "index.json").read_bytes(), type=_Stamp)
    return Index(
        outputs=stamp.outputs,
        rows=pl.scan_ipc(folder / "rows.arrow", glob=False),
        terms=pl.read_parquet(folder / "terms.parquet", glob=False),
        **arrays,
        ids=arrays["grid"][Column.ID][arrays["by_id"]],
    )


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    """Map an array as a plain ndarray: the class np.memmap is slower in every small step."""
    return np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]


class _Stamp(msgspec.Struct):
    """The content of index.json: the inputs of an index.

    `tables` have their sizes in bytes and change times in ns, by path.
    """

    revision: int
    polars: str
    tables: dict[str, tuple[int, int]]
    outputs: tuple[Output, ...]


def _sides(output: Output) -> tuple[str, str]:
    prefix = prefix_of(output.name)
    return f"{prefix}width", f"{prefix}height"


def _made_from(dataset: Path, outputs: tuple[Output, ...]) -> bytes:
    """Return the content of index.json for a dataset as it is now."""
    tables = [MANIFEST, *(f"{LABELS}/{split}_tags.parquet" for split in SPLITS)]
    found = {name: (dataset / name).stat() for name in tables if (dataset / name).exists()}
    sizes = {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}
    return msgspec.json.encode(_Stamp(_REVISION, pl.__version__, sizes, outputs))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error


def _build(
    source: pl.LazyFrame,
    tags: Sequence[pl.LazyFrame],
    outputs: Sequence[Output],
    folder: Path,
) -> None:
    (folder / "rows.parquet").unlink(missing_ok=True)  # of an index before revision 5
    path = folder / "rows.arrow"
    named = source.join(
        _class_names(source), on="class_id", how="left", maintain_order="left", nulls_equal=True
    )
    lacking = {*_sides(HEAD_CROP)} - {*source.collect_schema()}  # a dataset without heads
    named = named.with_columns(pl.lit(None, pl.Int64).alias(name) for name in lacking)
    write_arrow(named, path)
    rows = pl.scan_ipc(path, glob=False)
    terms = _write_terms(rows, tags, folder)
    dates = _dates(rows)
    _write_array(dates, folder / "dates.npy")
    _write_array(_ranks(rows, dates), folder / "ranks.npy")
    grid = _grid(rows, terms, outputs)
    _write_array(grid, folder / "grid.npy")
    _write_array(grid[Column.ID].argsort(kind="stable").astype(np.uint32), folder / "by_id.npy")


def ordered_columns(rows: pl.LazyFrame) -> list[str]:
    """Return the columns of the manifest that have an order: all but lists and records."""
    kinds = rows.collect_schema().items()
    return [name for name, kind in kinds if name != "class" and not kind.is_nested()]


def date_columns(rows: pl.LazyFrame) -> list[str]:
    """Return the columns of dates that the manifest has as text of HTTP."""
    schema = rows.collect_schema()
    return [name for name in DATES if schema.get(name) == pl.String]


def _dates(rows: pl.LazyFrame) -> NDArray[np.int64]:
    names = date_columns(rows)
    dates = np.zeros((len(names), rows.select(pl.len()).collect().item()), np.int64)
    for line, name in enumerate(names):
        read = pl.col(name).str.to_datetime(_HTTP_DATE, strict=False).cast(pl.Datetime("us"))
        numbers = rows.select(read.to_physical().fill_null(NO_DATE)).collect()
        dates[line] = numbers.to_series().to_numpy()
    return dates


def _ranks(rows: pl.LazyFrame, dates: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the ranks of all columns that have an order, uint32 (columns, rows)."""
    dated = dict(zip(date_columns(rows), dates, strict=True))
    names, height = ordered_columns(rows), rows.select(pl.len()).collect().item()
    ranks = np.zeros((len(names), height), np.uint32)
    for line, name in enumerate(names):
        values = (
            pl.Series(dated[name]).replace(NO_DATE, None)
            if name in dated
            else rows.select(name).collect().to_series()
        )
        ranks[line] = values.rank("dense").fill_null(0).cast(pl.UInt32).to_numpy()
    return ranks


def _grid(rows: pl.LazyFrame, terms: pl.DataFrame, outputs: Sequence[Output]) -> NDArray[np.int64]:
    """Return the grid, int64 (lines, rows)."""
    found = rows.select(pl.len()).collect().item()
    sides = [pl.col(name) for output in outputs for name in _sides(output)]
    lines = [*(_line(column, terms, outputs[0]) for column in Column), *sides]
    grid = np.zeros((len(lines), found), np.int64)
    for line, values in enumerate(lines):
        grid[line] = rows.select(values.fill_null(0)).collect().to_series().to_numpy()
    return grid


def _line(column: Column, terms: pl.DataFrame, full: Output) -> pl.Expr:
    name = column.name.lower()
    match column:
        case Column.CLASS | Column.SPLIT | Column.STATUS:
            own = terms.with_row_index("place").filter(kind=name)
            return pl.col(name).replace_strict(
                own["name"], own["place"], default=None, return_dtype=pl.Int64
            )
        case Column.ORIGINAL:
            return pl.min_horizontal("original_width", "original_height")
        case Column.LEFT | Column.TOP | Column.RIGHT | Column.BOTTOM:
            edge = shown_boxes(full)[name].fill_nan(0)
            return (edge * 1_000_000).round().cast(pl.Int64, strict=False)
        case Column.HEAD:
            return pl.min_horizontal(*_sides(HEAD_CROP))
        case _:
            return pl.col(name)


def _class_names(source: pl.LazyFrame) -> pl.LazyFrame:
    """Return `class_id` and `class`: the name, or with the number if it is missing or shared."""
    name, number = pl.col("class_name"), pl.format("#{}", pl.col("class_id"))
    return (
        source.group_by("class_id")
        .agg(name.first())
        .select(
            "class_id",
            pl.when(name.is_null()).then(number)
            .when(pl.len().over("class_name") > 1).then(pl.format("{} {}", name, number))
            .otherwise(name)
            .alias("class"),
        )
    )  # fmt: skip


def _write_terms(rows: pl.LazyFrame, tags: Sequence[pl.LazyFrame], folder: Path) -> pl.DataFrame:
    """Write the terms, the rows of each term, and the tags of each row, and return the terms.

    One kind is done after the other, so that memory never holds the uses of more than one.
    """
    numbered = rows.with_row_index("row")
    height = numbered.select(pl.len()).collect().item()
    by_row = _by_row(tags, numbered.select("id", "row").collect())
    columns = {kind: [numbered.select("row", name=kind)] for kind in _SINGLE}
    for kind, category in TAG_KINDS.items():
        columns[kind] = [_spread(table, category) for table in by_row]
    names, postings = list[pl.DataFrame](), list[RowNumbers]()
    lists, starts = list[Places](), list[NDArray[np.int64]]()
    for kind, values in columns.items():
        uses = _uses(values)
        postings.append(sorted_by(uses.places, uses.rows))
        if kind in TAG_KINDS:
            starts.append(sum(map(len, lists)) + _starts(uses.rows, height))
            lists.append(_places_by_row(uses) + sum(map(len, names)))
        names.append(uses.names.with_columns(kind=pl.lit(kind)))
    _write_array(np.concatenate(postings), folder / "postings.npy")
    _write_array(np.concatenate(lists), folder / "tags.npy")
    _write_array(np.stack(starts), folder / "tag_starts.npy")
    key = pl.col("name").str.to_lowercase().str.replace_all("_", " ", literal=True)
    start = pl.col("images").cum_sum() - pl.col("images")
    terms = pl.concat(names).select(
        "name", "kind", "images", key=key, squeezed=squeezed(key), start=start
    )
    is_tag = pl.col("kind").is_in(["class", *TAG_KINDS])
    terms = terms.with_columns(alone=pl.len().over("squeezed", is_tag) == 1)
    write_parquet(terms, folder / "terms.parquet")
    return terms


def squeezed(text: pl.Expr) -> pl.Expr:
    """Return names as they are compared: in lower case, without spaces and `_`."""
    return text.str.to_lowercase().str.replace_all("[ _]", "")


def _by_row(tables: Sequence[pl.LazyFrame], rows: pl.DataFrame) -> list[pl.LazyFrame]:
    """Return each table of tags with the `row` of each image.

    Only numbers are joined: a join would hold lists of names in memory several times.
    """
    if not tables:
        return []
    numbered = [table.with_row_index("at") for table in tables]
    all_ids = [table.select("id", "at", table=pl.lit(n)) for n, table in enumerate(numbered)]
    first = pl.concat(all_ids).unique("id", keep="first", maintain_order=True)
    known = first.join(rows.lazy(), on="id").select("table", "at", "row").collect()
    return [
        table.join(known.lazy().filter(table=n).drop("table"), on="at", maintain_order="left")
        for n, table in enumerate(numbered)
    ]


def _spread(lists: pl.LazyFrame, category: int) -> pl.LazyFrame:
    """Return `row` and `name` for each tag of a category."""
    names = lists.select("row", name=pl.col(column(category)).list.unique(maintain_order=True))
    return names.filter(pl.col("name").list.len() > 0).explode("name")


class _Uses(NamedTuple):
    """The uses of the terms of one kind.

    `names` has `name` and `images`, most images first. `rows` and `places` have one entry per use:
    the row number and the place of the term in `names`.
    """

    names: pl.DataFrame
    rows: RowNumbers
    places: Places


def _uses(values: Sequence[pl.LazyFrame]) -> _Uses:
    """Return the uses in tables of `row` and `name`. The names of a row keep their order."""
    nothing = pl.LazyFrame(schema={"row": pl.UInt32, "name": pl.String})
    known = pl.concat([nothing, *values]).drop_nulls("name")
    counted = known.group_by("name").agg(images=pl.len().cast(pl.Int64))
    names = counted.sort("images", "name", descending=[True, False]).collect(engine="streaming")
    places = names.lazy().select("name").with_row_index("place")
    used = known.join(places, on="name", maintain_order="left").select("row", "place")
    found = used.collect(engine="streaming")
    return _Uses(names, found["row"].to_numpy(), found["place"].to_numpy())


def _starts(rows: RowNumbers, height: int) -> NDArray[np.int64]:
    """Return the start of each row among uses sorted by row, then the end; int64 (height + 1,)."""
    return np.concatenate([[0], np.bincount(rows, minlength=height).cumsum()])


def _places_by_row(uses: _Uses) -> Places:
    return uses.places[sorted_by(uses.rows, np.arange(len(uses.rows), dtype=np.uint32))]


def sorted_by(first: NDArray[np.uint32], then: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return `then` sorted by `first`, ties by itself. All are uint32 (N,)."""
    keys = first.astype(np.uint64) << np.uint64(32) | then
    keys.sort()
    return keys.astype(np.uint32)  # the lower half


def _write_array(array: NDArray[Any], path: Path) -> None:
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, array)
