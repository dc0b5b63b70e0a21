"""The manifest: the table handed to the user, one row per image that was asked for."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.outcomes import status
from dafre_fast.dataset.outputs import asked_column, columns_of
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_OF_ARRIVAL = ("final_url", "http_status", "attempts")
_OF_PROOF = ("proof", "etag", "last_modified")
_OF_OUTCOME = (
    "status",
    pl.col("detail").alias("error_message"),
    pl.col("notes").fill_null([]),
    "url",
    *_OF_ARRIVAL,
    "download_seconds",
    "original_sha256",
    *_OF_PROOF,
    "format",
    "original_width",
    "original_height",
    "original_bytes",
)
_OF_ENGINE = ("original", "spool")


def build_manifest(
    asked: pl.LazyFrame, made: pl.LazyFrame, fetched: pl.LazyFrame, outputs: Sequence[Output]
) -> pl.LazyFrame:
    """One row per row of `asked`, in its order: its own columns (not what the engine alone needs),
    then `status` (`success` or a reason), `error_message`, `notes`, `url`, what is known of the
    download (null where there was none), `format`, sizes of the original, and the columns of the
    outputs (`dataset.outputs`).
    """
    download = fetched.select(
        "key",
        "url",
        *_OF_ARRIVAL,
        *_OF_PROOF,
        download_seconds="seconds",
        original_sha256="sha256",
    )
    outcome = (
        made.with_columns(status())
        .drop("url", "path", "stage", "seconds", "spool", "offset", *_OF_ARRIVAL, *_OF_PROOF)
        .join(download, on="key", how="left")
        .with_columns(url=pl.coalesce("url", "original"))
    )
    inner = {*_OF_ENGINE, *(asked_column(output.name) for output in outputs)}
    names = [name for name in asked.collect_schema().names() if name not in inner]
    joined = asked.select(names).join(outcome, on="key", how="left", maintain_order="left")
    names.remove("key")
    return joined.select(*names, *_OF_OUTCOME, *columns_of(outputs))


def manifest_of_originals(asked: pl.LazyFrame, fetched: pl.LazyFrame) -> pl.LazyFrame:
    """One row per row of `asked` (`key`), in its order: `id`, `status` (`success` or a reason),
    `error_message`, `path` of the original, and the download: urls, HTTP status, attempts, bytes,
    seconds of all attempts, SHA-256, by what it was proved right (a `Proof`), ETag, Last-Modified.
    Of what was there before the program there are path and bytes alone.
    """
    return asked.join(fetched, on="key", how="left", maintain_order="left").select(
        pl.col("key").cast(pl.Int64).alias("id"),
        status(),
        pl.col("detail").alias("error_message"),
        "path",
        "url",
        *_OF_ARRIVAL,
        "bytes",
        "seconds",
        "sha256",
        *_OF_PROOF,
    )


def write_manifest(manifest: pl.DataFrame, path: Path) -> None:
    """Write it as Parquet. Raises OutputError where that is not possible."""
    write_parquet(manifest, path)


def read_ids(path: Path, *, opened: bool) -> pl.Series:
    """Ids of the images in a manifest whose original was read; `opened`: that were made, and so are
    RGB. Raises InputError where it cannot be read or is no manifest of a catalogue.
    """
    is_one = pl.col("status") == SUCCESS if opened else pl.col("original_bytes").is_not_null()
    with reading(path, "is no manifest of images"):
        return pl.scan_parquet(path, glob=False).filter(is_one).select("id").collect()["id"]
