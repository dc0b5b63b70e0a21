"""Find pictures that are not files of their own: which bytes of which shard or spool they are.

A table of places has a row per image: `id`, `file` (a path in the dataset), and for each output,
with the prefix of its columns, `offset` (the byte at which it begins in that file), `bytes` (its
size) and `sha256`.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from dafre_fast.core.layout import FULL, SHARDS
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import members_of, read_outputs
from dafre_fast.dataset.stored import archives_of
from dafre_fast.tables.writing import write_parquet


def columns(outputs: Sequence[Output]) -> dict[str, pl.DataType]:
    """Return the columns of a table of places, with their types."""
    found: dict[str, pl.DataType] = {"id": pl.Int64(), "file": pl.String()}
    for output in outputs:
        prefix = prefix_of(output.name)
        found[f"{prefix}offset"] = found[f"{prefix}bytes"] = pl.Int64()
        found[f"{prefix}sha256"] = pl.String()
    return found


def lies_in_shards(dataset: Path) -> bool:
    """Return True if the images of a dataset lie in shards, and there are no trees of them."""
    return (dataset / SHARDS).is_dir() and not (dataset / FULL).exists()


def places_of(dataset: Path) -> pl.DataFrame | None:
    """Return the places of a finished dataset, None if its images are files of their own."""
    if not lies_in_shards(dataset):
        return None
    return places_in_shards(dataset, read_outputs(dataset))


def places_in_shards(dataset: Path, outputs: Sequence[Output]) -> pl.DataFrame:
    """Return the places of all images in the shards of a dataset."""
    archives = {*(dataset / SHARDS).glob("*/*.tar"), *map(dataset.joinpath, archives_of(dataset))}
    return places_in(dataset, sorted(archives), outputs)


def places_in(dataset: Path, archives: Sequence[Path], outputs: Sequence[Output]) -> pl.DataFrame:
    """Return the places of all images in these archives of a dataset, as the tables beside them
    have it. In an archive whose table is missing or damaged, nothing can be found.
    """
    schema = columns(outputs)
    found = [pl.DataFrame(schema=schema)]
    for archive in archives:
        with suppress(OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
            found.append(_table(archive, str(archive.relative_to(dataset)), schema))
    return pl.concat(found)


def _table(archive: Path, name: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    with archive.with_suffix(".parquet").open("rb") as file:
        table = pl.read_parquet(file, columns=[column for column in schema if column != "file"])
    return (
        table.drop_nulls("offset")
        .with_columns(file=pl.lit(name))
        .select(pl.col(column).cast(kind) for column, kind in schema.items())
    )


def delete(archive: Path, images: Collection[int]) -> None:
    """Delete images from the table of an archive, so that they are not found there. Raises
    OutputError if the table cannot be written.
    """
    path = archive.with_suffix(".parquet")
    try:
        with path.open("rb") as file:
            table = pl.read_parquet(file)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return  # nothing can be found in this archive anyway
    stays = ~pl.col("id").is_in([*images])
    offsets = [name for name in table.columns if name.endswith("offset")]
    kept = (pl.when(stays).then(pl.col(name)).alias(name) for name in offsets)
    write_parquet(table.with_columns(kept), path)


def places_in_spools(made: pl.LazyFrame, folder: str, outputs: Sequence[Output]) -> pl.DataFrame:
    """Return the places of all images in spools, as the last outcomes (`dataset.outcomes`) have it.
    Spools lie in a folder of the dataset; in them the outputs of an image follow one another.
    """
    begins, begin = dict[str, pl.Expr](), pl.col("offset")
    for output in outputs:
        prefix = prefix_of(output.name)
        begins[f"{prefix}offset"] = begin
        begin = begin + pl.col(f"{prefix}bytes").fill_null(0)
    return (
        made.filter(pl.col("spool").is_not_null())
        .with_columns(
            id=pl.col("key").cast(pl.Int64),
            file=pl.lit(f"{folder}/") + pl.col("spool"),
            **begins,
        )
        .select(pl.col(column).cast(kind) for column, kind in columns(outputs).items())
        .collect()
    )


def within(places: pl.DataFrame, sizes: Mapping[str, int]) -> pl.DataFrame:
    """Return the places that lie within their files; `sizes` are those of the files in bytes."""
    prefixes = [name.removesuffix("offset") for name in places.columns if name.endswith("offset")]
    end = pl.max_horizontal(
        pl.col(f"{prefix}offset") + pl.col(f"{prefix}bytes") for prefix in prefixes
    )
    size = pl.col("file").replace_strict(sizes, default=-1, return_dtype=pl.Int64)
    return places.filter(end <= size)


def recorded(places: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """Return one place of each image that lies anywhere with the recorded hashes. `images` has `id`
    and the SHA-256 of each output.
    """
    hashes = ["id", *(name for name in places.columns if name.endswith("sha256"))]
    found = places.join(images.select(hashes), on=hashes, how="semi", nulls_equal=True)
    return found.unique("id", keep="first", maintain_order=True)


def placed(
    files: pl.DataFrame, places: pl.DataFrame | None, output: Output, outputs: Sequence[Output]
) -> pl.DataFrame:
    """Add the columns `shard` and `offset` to a table of files of one output, and replace `file`
    for those in a shard by their name in there. `outputs` are all outputs of the dataset; `key` is
    the decimal id. Without places, all are files of their own.
    """
    if places is None:
        return files.with_columns(pl.lit(None, pl.String).alias("shard"), offset=pl.lit(0))
    begins = places.select(
        pl.col("id").cast(pl.String).alias("key"),
        shard="file",
        offset=f"{prefix_of(output.name)}offset",
    )
    member = f"{{}}/{{}}.{members_of(outputs)[output.name]}"
    return files.join(begins, on="key", how="left", maintain_order="left").with_columns(
        file=pl.coalesce(pl.format(member, "shard", "key"), "file"),
        offset=pl.col("offset").fill_null(0),
    )
