"""The manifest: the table handed to the user, one row per image that was asked for."""

from pathlib import Path

import polars as pl

from dafre_fast.model.files import replacing
from dafre_fast.tables.outcomes import status

_OF_OUTCOME = (
    "status",
    pl.col("detail").alias("error_message"),
    pl.col("notes").fill_null([]),
    "url",
    "format",
    "original_width",
    "original_height",
    "original_bytes",
    "width",
    "height",
    "bytes",
    "sha256",
    "face_width",
    "face_height",
    "face_bytes",
    "face_sha256",
)


def build_manifest(asked: pl.LazyFrame, made: pl.LazyFrame, fetched: pl.LazyFrame) -> pl.LazyFrame:
    """One row per row of `asked`, in its order: its own columns (not what the engine alone needs),
    then `status` (`success` or a reason), `error_message`, `notes`, `url`, `format`, sizes in
    pixels and bytes, hashes.
    """
    outcome = (
        made.with_columns(status())
        .drop("url", "path", "stage")
        .join(fetched.select("key", "url"), on="key", how="left")
        .with_columns(url=pl.coalesce("url", "original"))
    )
    inner = ("key", "original", "full", "face")
    names = [name for name in asked.collect_schema().names() if name not in inner]
    joined = asked.drop(inner[1:]).join(outcome, on="key", how="left", maintain_order="left")
    return joined.select(*names, *_OF_OUTCOME)


def write_manifest(manifest: pl.DataFrame, path: Path) -> None:
    """Write it as Parquet. Raises OutputError where that is not possible."""
    with replacing(path) as part:
        manifest.write_parquet(part)
