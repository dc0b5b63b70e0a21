"""The index of a dataset for looking at it: built once, then read where it lies on the disk.

    rows.parquet    the dataset's own rows in small groups, so that one row costs little
    terms.parquet   every class, split, status and tag: how many images, and where they are listed
    grid.npy        int64, a line per `Column`, a place per row: all that a page of images needs
    postings.npy    uint32, lists of row numbers, ascending, one behind the other
    by_id.npy       uint32, row numbers in the order of ids
    index.json      what all this was made from; written last

The arrays are mapped: memory holds what is looked at. Rows are numbered as in the manifest, from 0.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, auto
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.model.errors import InputError, OutputError
from dafre_fast.model.files import LABELS, MANIFEST, replacing
from dafre_fast.model.gallery import TAG_KINDS
from dafre_fast.tables.catalogue import SPLITS
from dafre_fast.tables.dataset import LISTS, open_dataset
from dafre_fast.tables.posts import column
from dafre_fast.tables.writing import write_parquet

BOX = ("left", "top", "right", "bottom")
_SIZES = ("width", "height", "face_width", "face_height", "original_width", "original_height")
_NEEDED = (*BOX, *_SIZES, "error_message")
_REVISION = 1
"""Raised by whoever changes the code such that the files change."""
_ROWS_PER_GROUP = 5_000
_FILES = ("rows.parquet", "terms.parquet", "grid.npy", "postings.npy", "by_id.npy", "index.json")

RowNumbers = NDArray[np.uint32]


class Column(IntEnum):
    """Lines of the grid. Class, split and status are places in `terms`; sizes are in pixels, 0
    where there is no picture; `ORIGINAL` and `HEAD` are the shorter sides of original and crop.
    """

    ID = 0
    CLASS = auto()
    SPLIT = auto()
    STATUS = auto()
    WIDTH = auto()
    HEIGHT = auto()
    FACE_WIDTH = auto()
    FACE_HEIGHT = auto()
    ORIGINAL = auto()
    HEAD = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Open. `rows` are those of `open_dataset` with `class`, the name of each image's class, unlike
    that of any other. `terms` has `kind`, `name`, `key` (how it is looked for: small letters,
    blanks for `_`), `images`, and `start` in `postings`; of a kind those of most images come first.
    """

    rows: pl.LazyFrame
    terms: pl.DataFrame
    grid: NDArray[np.int64]
    postings: RowNumbers
    by_id: RowNumbers
    ids: NDArray[np.int64]
    """In ascending order, as `by_id`."""


def index_dataset(dataset: Path, folder: Path, begin: Callable[[], None]) -> None:
    """Build the index of a dataset in `folder`, where there is none of it as it is now, and call
    `begin` before. One process at a time does it, and others wait for it.

    Raises InputError where the dataset cannot be read and OutputError where `folder` cannot be
    written.
    """
    source = open_dataset(dataset)
    missing = [name for name in _NEEDED if name not in source.collect_schema()]
    if missing:
        raise InputError(f"{dataset / MANIFEST}: has no column {', '.join(missing)}")
    made_from, stamp = _made_from(dataset), folder / "index.json"
    with _alone(folder):
        if all((folder / name).exists() for name in _FILES) and stamp.read_bytes() == made_from:
            return
        begin()
        stamp.unlink(missing_ok=True)
        try:
            _build(source, folder)
        except pl.exceptions.PolarsError as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{dataset}: its tables cannot be read: {reason}") from error
        with replacing(stamp) as part:
            part.write_bytes(made_from)


def open_index(folder: Path) -> Index:
    """What `index_dataset` left there."""
    grid, by_id = _mapped(folder, "grid"), _mapped(folder, "by_id")
    return Index(
        rows=pl.scan_parquet(folder / "rows.parquet", glob=False),
        terms=pl.read_parquet(folder / "terms.parquet", glob=False),
        grid=grid,
        postings=_mapped(folder, "postings"),
        by_id=by_id,
        ids=grid[Column.ID][by_id],
    )


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    """The array itself: numpy's own class for mapped ones makes every small step slower."""
    return np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)  # type: ignore[no-any-return]


def _made_from(dataset: Path) -> bytes:
    """Sizes in bytes and times of change in ns of the tables that an index is made from."""
    tables = [MANIFEST, *(f"{LABELS}/{split}_tags.parquet" for split in SPLITS)]
    found = {name: (dataset / name).stat() for name in tables if (dataset / name).exists()}
    sizes = {name: (stat.st_size, stat.st_mtime_ns) for name, stat in found.items()}
    return msgspec.json.encode({"revision": _REVISION, "polars": pl.__version__, "tables": sizes})


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror or error}") from error


def _build(source: pl.LazyFrame, folder: Path) -> None:
    path = folder / "rows.parquet"
    named = source.join(
        _class_names(source), on="class_id", how="left", maintain_order="left", nulls_equal=True
    )
    write_parquet(named, path, row_group_size=_ROWS_PER_GROUP)
    rows = pl.scan_parquet(path, glob=False)
    terms, postings = _terms(rows)
    write_parquet(terms, folder / "terms.parquet")
    _write_array(postings, folder / "postings.npy")
    grid = _grid(rows, terms)
    _write_array(grid, folder / "grid.npy")
    _write_array(grid[Column.ID].argsort(kind="stable").astype(np.uint32), folder / "by_id.npy")


def _grid(rows: pl.LazyFrame, terms: pl.DataFrame) -> NDArray[np.int64]:
    """An array of `len(Column)` lines, filled line by line."""
    found = rows.select(pl.len()).collect().item()
    grid = np.zeros((len(Column), found), np.int64)
    for line in Column:
        name = line.name.lower()
        match line:
            case Column.CLASS | Column.SPLIT | Column.STATUS:
                own = terms.with_row_index("place").filter(kind=name)
                values = pl.col(name).replace_strict(
                    own["name"], own["place"], default=None, return_dtype=pl.Int64
                )
            case Column.ORIGINAL:
                values = pl.min_horizontal("original_width", "original_height")
            case Column.HEAD:
                values = pl.min_horizontal("face_width", "face_height")
            case _:
                values = pl.col(name)
        grid[line] = rows.select(values.fill_null(0)).collect().to_series().to_numpy()
    return grid


def _class_names(source: pl.LazyFrame) -> pl.LazyFrame:
    """Of each `class_id` a `class`: its name, with its number where it has none of its own."""
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


def _terms(rows: pl.LazyFrame) -> tuple[pl.DataFrame, RowNumbers]:
    """One kind after the other: the tags of a category are the most that memory holds at once."""
    columns = {"class": "class", "split": "split", "status": "status"}
    columns |= {kind: column(category) for kind, category in TAG_KINDS.items()}
    found, postings = [], []
    for kind, name in columns.items():
        listed = _postings(rows, name)
        key = pl.col("name").str.to_lowercase().str.replace_all("_", " ", literal=True)
        images = pl.col("row").list.len().cast(pl.Int64)
        found.append(listed.select("name", kind=pl.lit(kind), key=key, images=images))
        postings.append(listed["row"].explode().to_numpy())
    start = pl.col("images").cum_sum() - pl.col("images")
    return pl.concat(found).with_columns(start=start), np.concatenate(postings)


def _postings(rows: pl.LazyFrame, name: str) -> pl.DataFrame:
    """Of each value of a column, or of its lists: `name` and the `row` numbers that have it."""
    values = rows.select(name=pl.col(name)).with_row_index("row")
    if name in LISTS:
        values = values.filter(pl.col("name").list.len() > 0).explode("name")
    return (
        values.drop_nulls()
        .group_by("name")
        .agg(pl.col("row").unique().sort())
        .sort(pl.col("row").list.len(), "name", descending=[True, False])
        .collect()
    )


def _write_array(array: NDArray[Any], path: Path) -> None:
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, array)
