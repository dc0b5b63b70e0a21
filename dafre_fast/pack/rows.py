"""Which images are packed, in which order, and tables of them with their bytes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import MANIFEST
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.outputs import columns_of, prefix_of, read_outputs
from dafre_fast.dataset.reading import LISTS, open_dataset
from dafre_fast.dataset.samples import Damaged
from dafre_fast.dataset.shard_order import ordered
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_OF_IMAGE = ("id", "path", "class_id", "class_name", "split")
_TOLD = (
    *_OF_IMAGE,
    *("tag_id", "left", "top", "right", "bottom", "confidence", "notes"),
    *("original_sha256", "format", "original_width", "original_height", "original_bytes"),
)
"""What a pack tells of an image besides its outputs and tags: nothing of when and how it was
fetched, so that it is the same for the same images.
"""
GROUP = 256
"""Rows of a row group with pictures: some megabytes."""
_SLICE = 10_000


class Packable(NamedTuple):
    """`asked` has a row per image of the manifest that is not `excluded`, split by split, with its
    `status`; so many were `made`, the others are `refused`, by reason. `class_names` stand at the
    places of their class ids. `outputs` are those of the dataset.
    """

    outputs: tuple[Output, ...]
    asked: pl.DataFrame
    made: int
    refused: Mapping[str, int]
    excluded: int
    class_names: Sequence[str]


def recorded_columns(outputs: Sequence[Output]) -> list[str]:
    """Return the columns by which files of these outputs are compared with the manifest."""
    return [f"{prefix_of(one.name)}{field}" for one in outputs for field in ("bytes", "sha256")]


def made_of(asked: pl.DataFrame) -> pl.DataFrame:
    """The rows of images that were made, which need no status."""
    return asked.filter(status=SUCCESS).drop("status")


def read_packable(folder: Path, *, told: bool, shuffle: bool, exclude: pl.Series) -> Packable:
    """Of a dataset; with all that is `told` of each image, or with what packing itself needs.
    `exclude` are ids.

    Raises InputError where its manifest cannot be read or is not that of a dataset.
    """
    path, table = folder / MANIFEST, open_dataset(folder)
    known = table.collect_schema().names()
    outputs = read_outputs(folder)
    recorded = recorded_columns(outputs)
    if missing := [name for name in recorded if name not in known]:
        raise InputError(f"{path}: has no column {', '.join(missing)}")
    every = (*_TOLD, *columns_of(outputs), *LISTS)
    wanted = ("status", *(every if told else (*_OF_IMAGE, *recorded)))
    with reading(path):
        brief = table.select("id", "class_id", "class_name", "split", "status").collect()
        rows = table.select(name for name in wanted if name in known).collect(engine="streaming")
    _check(path, brief)
    stays = ~pl.col("id").is_in(exclude.implode())
    rows, asked = rows.filter(stays), brief.filter(stays)
    refused = asked.filter(pl.col("status") != SUCCESS)["status"].value_counts(sort=True)
    return Packable(
        outputs=outputs,
        asked=rows.select(pl.all().gather(ordered(rows, shuffle=shuffle))),
        made=asked.filter(status=SUCCESS).height,
        refused=dict(refused.iter_rows()),
        excluded=brief.height - asked.height,
        class_names=_class_names(brief),
    )


def _check(path: Path, brief: pl.DataFrame) -> None:
    if brief.is_empty():
        raise InputError(f"{path}: has no rows")
    if brief.select("id", "class_id", "split", "status").null_count().sum_horizontal()[0]:
        raise InputError(f"{path}: a row has no id, class_id, split or status")
    others = brief.filter(~pl.col("split").is_in(SPLITS))
    if not others.is_empty():
        raise InputError(f"{path}: {others['split'][0]!r} is no split")
    repeated = brief.filter(pl.col("id").is_duplicated())
    if not repeated.is_empty():
        raise InputError(f"{path}: image {repeated['id'][0]} stands in it twice")


def _class_names(brief: pl.DataFrame) -> list[str]:
    """One for every class id from 0 on; a name that another class has is told apart by the id."""
    classes = brief.select("class_id", "class_name").unique("class_id", keep="first")
    known = dict(classes.iter_rows())
    names = [known.get(class_id) or str(class_id) for class_id in range(max(known) + 1)]
    seen = dict[str, int]()
    return [
        name if seen.setdefault(name, class_id) == class_id else f"{name} ({class_id})"
        for class_id, name in enumerate(names)
    ]


def contents_of(rows: pl.DataFrame, *deciding: object) -> str:
    """The SHA-256 of rows, all their columns, and of whatever else decides the bytes of a shard."""
    hashed = hashlib.sha256(msgspec.json.encode((rows.columns, *deciding)))
    for part in rows.iter_slices(_SLICE):
        hashed.update(part.write_ndjson().encode())
    return hashed.hexdigest()


def write_rows(
    asked: pl.DataFrame,
    places: Mapping[str, Mapping[int, int]],
    damaged: Sequence[Damaged],
    path: Path,
) -> None:
    """The rows of a shard as Parquet: what was asked for, with `status`, `success` or why it is not
    in the shard, what is wrong with a file as `error_message`, and columns of `places`: at which
    byte of the archive the picture of an image begins.

    Raises OutputError where that is not possible.
    """
    told = pl.DataFrame(
        {
            "id": [one.id for one in damaged],
            "flaw": [one.flaw.value for one in damaged],
            "error_message": [f"{one.file}: {one.detail or one.flaw.value}" for one in damaged],
        },
        schema={"id": pl.Int64, "flaw": pl.String, "error_message": pl.String},
    )
    joined = asked.join(told, on="id", how="left", maintain_order="left")
    offsets = (
        pl.Series(name, [begins.get(image) for image in asked["id"]], pl.Int64)
        for name, begins in places.items()
    )
    write_parquet(
        joined.with_columns(pl.coalesce("flaw", "status").alias("status"), *offsets).drop("flaw"),
        path,
    )


def write_pictures(
    tables: Iterable[pl.DataFrame],
    schema: Mapping[str, pl.DataType],
    path: Path,
) -> None:
    """Tables of one schema and at most `GROUP` rows as they come, few of them in memory at once, as
    Parquet without statistics: those of pictures would be pictures.

    Raises OutputError where that is not possible.
    """

    def source(*_: object) -> Iterator[pl.DataFrame]:
        yield from tables

    write_parquet(
        register_io_source(source, schema=pl.Schema(schema)),
        path,
        row_group_size=GROUP,
        statistics=False,
        compression_level=1,
    )
