"""Where pictures lie that are no files of their own: which bytes of which shard or spool.

A table of places has a row per image: `id`, `file` (a path in the dataset), and of its full image
`offset`, where it begins in that file, `bytes` and `sha256`; of its face `face_offset` and so on.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from dafre_fast.core.layout import FULL, SHARDS
from dafre_fast.tables.writing import write_parquet

COLUMNS: dict[str, pl.DataType] = {
    "id": pl.Int64(),
    "file": pl.String(),
    **{
        f"{prefix}{name}": kind
        for prefix in ("", "face_")
        for name, kind in (("offset", pl.Int64()), ("bytes", pl.Int64()), ("sha256", pl.String()))
    },
}


def lies_in_shards(dataset: Path) -> bool:
    """True where shards stand for the trees of images, which are not there."""
    return (dataset / SHARDS).is_dir() and not (dataset / FULL).exists()


def places_of(dataset: Path) -> pl.DataFrame | None:
    """Of a dataset that stands; None where its images are files of their own."""
    return places_in_shards(dataset) if lies_in_shards(dataset) else None


def places_in_shards(dataset: Path) -> pl.DataFrame:
    """Of what lies in the shards of a dataset."""
    return places_in(dataset, sorted((dataset / SHARDS).glob("*/*.tar")))


def places_in(dataset: Path, archives: Sequence[Path]) -> pl.DataFrame:
    """Of what lies in archives of a dataset, as the tables beside them say. Where a table is not
    there or is damaged, nothing can be found.
    """
    found = [pl.DataFrame(schema=COLUMNS)]
    for archive in archives:
        with suppress(OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            found.append(_table(archive, str(archive.relative_to(dataset))))
    return pl.concat(found)


def _table(archive: Path, name: str) -> pl.DataFrame:
    with archive.with_suffix(".parquet").open("rb") as file:
        table = pl.read_parquet(file, columns=[column for column in COLUMNS if column != "file"])
    return (
        table.drop_nulls("offset")
        .with_columns(file=pl.lit(name))
        .select(pl.col(column).cast(kind) for column, kind in COLUMNS.items())
    )


def strike(archive: Path, images: Collection[int]) -> None:
    """Images lie in an archive no more: its table says so. Raises OutputError where that cannot be
    written.
    """
    path = archive.with_suffix(".parquet")
    try:
        with path.open("rb") as file:
            table = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return  # nothing is found in there
    stays = ~pl.col("id").is_in([*images])
    offsets = [name for name in table.columns if name.endswith("offset")]
    struck = (pl.when(stays).then(pl.col(name)).alias(name) for name in offsets)
    write_parquet(table.with_columns(struck), path)


def places_in_spools(made: pl.LazyFrame, folder: str) -> pl.DataFrame:
    """Of what the last outcomes (`dataset.outcomes`) have put into spools, which lie in a folder of
    the dataset. The face stands behind the full image.
    """
    return (
        made.filter(pl.col("spool").is_not_null())
        .with_columns(
            id=pl.col("key").cast(pl.Int64),
            file=pl.lit(f"{folder}/") + pl.col("spool"),
            face_offset=pl.col("offset") + pl.col("bytes"),
        )
        .select(pl.col(column).cast(kind) for column, kind in COLUMNS.items())
        .collect()
    )


def within(places: pl.DataFrame, sizes: Mapping[str, int]) -> pl.DataFrame:
    """Those that lie within their files, of which `sizes` are known in bytes."""
    end = pl.max_horizontal(
        pl.col(f"{prefix}offset") + pl.col(f"{prefix}bytes") for prefix in ("", "face_")
    )
    size = pl.col("file").replace_strict(sizes, default=-1, return_dtype=pl.Int64)
    return places.filter(end <= size)


def recorded(places: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Where each of the images (`id`, `sha256`, `face_sha256`) lies as it is recorded; one place of
    each that lies anywhere.
    """
    hashes = ("id", "sha256", "face_sha256")
    found = places.join(images.select(hashes), on=hashes, how="semi", nulls_equal=True)
    return found.unique("id", keep="first", maintain_order=True)


def placed(outputs: pl.DataFrame, places: pl.DataFrame | None, prefix: str) -> pl.DataFrame:
    """Columns `shard` and `offset` of `Output` for pictures of one kind (`prefix` as in places),
    and the `file` of those that lie in a shard; `key` is the decimal id. Without places all are
    files of their own.
    """
    if places is None:
        return outputs.with_columns(pl.lit(None, pl.String).alias("shard"), offset=pl.lit(0))
    begins = places.select(
        pl.col("id").cast(pl.String).alias("key"), shard="file", offset=f"{prefix}offset"
    )
    member = "{}/{}.face.jpg" if prefix else "{}/{}.jpg"
    return outputs.join(begins, on="key", how="left", maintain_order="left").with_columns(
        file=pl.coalesce(pl.format(member, "shard", "key"), "file"),
        offset=pl.col("offset").fill_null(0),
    )
