"""Read the rows that a pack holds, in their order, and write tables of them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl
from polars.io.plugins import register_io_source

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.events import Tell, silent
from dafre_fast.core.layout import MANIFEST
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.chosen import ALL, Lists, read_chosen
from dafre_fast.dataset.manifest import further_columns
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import columns_of, read_outputs
from dafre_fast.dataset.reading import LISTS, open_dataset
from dafre_fast.dataset.samples import Damaged
from dafre_fast.dataset.shard_order import Numbers, ordered
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_OF_IMAGE = ("id", "path", "class_id", "class_name", "split")
_DESCRIBING = (
    *_OF_IMAGE,
    *("tag_id", "left", "top", "right", "bottom", "confidence", "notes"),
    *("original_sha256", "format", "original_width", "original_height", "original_bytes"),
)
"""Columns of an image besides its outputs and tags. None says when and how it was fetched, so that
equal images give equal packs.
"""
GROUP = 256
"""Rows of a row group with pictures: a few megabytes."""
_SLICE = 10_000


class Packable(NamedTuple):
    """The images of a dataset to pack.

    <<<<<<< HEAD
    `asked` has a row per image of the manifest that is not `excluded`, ordered by split, with its
    `status`; `made` counts the made ones, `refused` the others by reason. `class_names` are indexed
    by class id; without classes, there are none, and no columns of them. `outputs` are those of the
    dataset. `numbers` are those of the shards that the images fill, None if these are all.
    `further` are the columns that only a table of addresses had.
    =======
    `asked` has a row per image of the manifest that lists choose (`excluded` counts the others),
    ordered by split, with its `status`; `made` counts the made ones, `refused` the others by
    reason. `class_names` are indexed by class id; without classes, there are none, and no columns
    of them. `outputs` are those of the dataset. `numbers` are those of the shards that the images
    fill, None if these are all.
    >>>>>>> main
    """

    outputs: tuple[Output, ...]
    asked: pl.DataFrame
    made: int
    refused: Mapping[str, int]
    excluded: int
    class_names: Sequence[str]
    numbers: Numbers | None = None
    further: Sequence[str] = ()


def recorded_columns(outputs: Sequence[Output]) -> list[str]:
    """Return the columns by which files of these outputs are compared with the manifest."""
    return [f"{prefix_of(one.name)}{field}" for one in outputs for field in ("bytes", "sha256")]


def made_of(asked: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of made images, without their status."""
    return asked.filter(status=SUCCESS).drop("status")


def read_packable(
    folder: Path,
    *,
    described: bool,
    shuffle: bool,
    lists: Lists = ALL,
    splits: Sequence[str] = (),
    in_order: bool = False,
    columns: Sequence[str] = (),
    tell: Tell = silent,
) -> Packable:
    """Read the images of a dataset, those of some splits, or of all if none is given, that lists
    choose.

    With `described`, rows have all columns of a pack and `columns`, without only those that packing
    needs. With `in_order`, they keep the order of the manifest. Raises InputError if the manifest
    or a list cannot be read or is not that of a dataset, UsageError if the lists leave no image.
    """
    path, table = folder / MANIFEST, open_dataset(folder)
    known = table.collect_schema().names()
    outputs = read_outputs(folder)
    recorded = recorded_columns(outputs)
    if missing := [name for name in recorded if name not in known]:
        raise InputError(f"{path}: has no column {', '.join(missing)}")
    further = further_columns(known)
    every = (*_DESCRIBING, *further, *columns, *columns_of(outputs), *LISTS)
    wanted = dict.fromkeys(("status", *(every if described else (*_OF_IMAGE, *recorded))))
    with reading(path):
        brief = table.select("id", "class_id", "class_name", "split", "status").collect()
        rows = table.select(name for name in wanted if name in known).collect(engine="streaming")
    if not brief.select(pl.col("class_id", "class_name").is_not_null().any()).sum_horizontal()[0]:
        brief, rows = (one.drop("class_id", "class_name") for one in (brief, rows))
    _check(path, brief)
    class_names = _class_names(brief)
    if splits:
        rows, brief = (one.filter(pl.col("split").is_in(splits)) for one in (rows, brief))
    stays = read_chosen(lists, table, tell).stays
    rows, asked = rows.filter(stays), brief.filter(stays)
    if asked.is_empty():
        raise UsageError(f"{str(lists) or ', '.join(splits)}: no image of {path} is left")
    refused = asked.filter(pl.col("status") != SUCCESS)["status"].value_counts(sort=True)
    return Packable(
        outputs=outputs,
        asked=rows if in_order else rows.select(pl.all().gather(ordered(rows, shuffle=shuffle))),
        made=asked.filter(status=SUCCESS).height,
        refused=dict(refused.iter_rows()),
        excluded=brief.height - asked.height,
        class_names=class_names,
        further=[name for name in further if name in rows.columns],
    )


def _check(path: Path, brief: pl.DataFrame) -> None:
    if brief.is_empty():
        raise InputError(f"{path}: has no rows")
    needed = [name for name in ("id", "class_id", "split", "status") if name in brief.columns]
    if brief.select(needed).null_count().sum_horizontal()[0]:
        raise InputError(f"{path}: a row has no {', '.join(needed[:-1])} or {needed[-1]}")
    others = brief.filter(~pl.col("split").is_in(SPLITS))
    if not others.is_empty():
        raise InputError(f"{path}: {others['split'][0]!r} is no split")
    repeated = brief.filter(pl.col("id").is_duplicated())
    if not repeated.is_empty():
        raise InputError(f"{path}: image {repeated['id'][0]} is in it twice")


def _class_names(brief: pl.DataFrame) -> list[str]:
    """Return a name for every class id from 0; equal names are followed by their ids."""
    if "class_id" not in brief.columns:
        return []
    classes = brief.select("class_id", "class_name").unique("class_id", keep="first")
    known = dict(classes.iter_rows())
    names = [known.get(class_id) or str(class_id) for class_id in range(max(known) + 1)]
    seen = dict[str, int]()
    return [
        name if seen.setdefault(name, class_id) == class_id else f"{name} ({class_id})"
        for class_id, name in enumerate(names)
    ]


def contents_of(rows: pl.DataFrame, *deciding: object) -> str:
    """Return the SHA-256 of rows and of everything else that decides the bytes of a part."""
    columns = {name: str(kind) for name, kind in rows.schema.items()}
    hashed = hashlib.sha256(msgspec.json.encode((columns, *deciding)))
    for part in rows.iter_slices(_SLICE):
        hashed.update(part.write_ndjson().encode())
    return hashed.hexdigest()


def write_rows(
    asked: pl.DataFrame,
    places: Mapping[str, Mapping[int, int]],
    damaged: Sequence[Damaged],
    path: Path,
) -> None:
    """Write the requested rows of a shard as Parquet.

    `status` is `success` or the reason why an image is not in the shard, `error_message` describes
    a damaged file, and each column of `places` has the byte at which a picture begins in the
    archive. Raises OutputError.
    """
    flaws = pl.DataFrame(
        {
            "id": [one.id for one in damaged],
            "flaw": [one.flaw.value for one in damaged],
            "error_message": [f"{one.file}: {one.detail or one.flaw.value}" for one in damaged],
        },
        schema={"id": pl.Int64, "flaw": pl.String, "error_message": pl.String},
    )
    joined = asked.join(flaws, on="id", how="left", maintain_order="left")
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
    """Write tables of one schema and at most `GROUP` rows as Parquet, a few in memory at a time.

    No statistics are written: the smallest and largest value of a column of pictures are pictures.
    Raises OutputError.
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
