"""The manifest: one row for each requested image. The table that users read."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import HEAD_CROP, Output
from dafre_fast.dataset.outcomes import last_outcomes, status
from dafre_fast.dataset.outputs import asked_column, columns_of
from dafre_fast.tables.listed import KEY as GIVEN_KEY
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet

_OF_ARRIVAL = ("final_url", "http_status", "attempts")
_OF_PROOF = ("proof", "etag", "last_modified")
_OF_DOWNLOAD = ("bytes", "seconds", "sha256")
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
_OF_CATALOGUE = (
    *("id", "path", "tag_id", "class_id", "class_name", "split"),
    *("left", "top", "right", "bottom", "confidence"),
)
KEY = "key"
"""The column of the keys of a table of addresses (`tables.listed`)."""


def reserved_names(outputs: Sequence[Output]) -> list[str]:
    """Return the names that further columns of a table cannot have in a manifest: its own, and
    those of tables that are joined to it.
    """
    own = [name if isinstance(name, str) else name.meta.output_name() for name in _OF_OUTCOME]
    made = [*own, *_OF_DOWNLOAD, *columns_of(outputs), *columns_of([HEAD_CROP])]
    inner = [*_OF_ENGINE, KEY, GIVEN_KEY, *(asked_column(output.name) for output in outputs)]
    return [*_OF_CATALOGUE, *made, *inner, *(column(category) for category in CATEGORIES)]


def further_columns(manifest: Sequence[str]) -> list[str]:
    """Return the columns of a manifest that it has of a table of addresses alone, in their order:
    keys, captions, and those that only the table knows.
    """
    of_rows = manifest[: manifest.index("status")] if "status" in manifest else manifest
    return [name for name in of_rows if name not in _OF_CATALOGUE]


def build_manifest(
    asked: pl.LazyFrame, made: pl.LazyFrame, fetched: pl.LazyFrame, outputs: Sequence[Output]
) -> pl.LazyFrame:
    """Build the manifest: one row per row of `asked` (`engine.plan`), in its order.

    Columns: those of `asked`, without the ones that only the engine needs; `status` (`success` or a
    reason), `error_message`, `notes`, `url`; the download (null if there was none); `format`, width
    and height in pixels and bytes of the original; and the columns of the outputs
    (`dataset.outputs`). `made` and `fetched` are last outcomes (`dataset.outcomes`).
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
    rows = rows_of(asked, outputs)
    joined = rows.join(outcome, on="key", how="left", maintain_order="left")
    names = [name for name in rows.collect_schema().names() if name != "key"]
    found = joined.select(*names, *_OF_OUTCOME, *columns_of(outputs))
    return found.rename({GIVEN_KEY: KEY}, strict=False)


def rows_of(asked: pl.LazyFrame, outputs: Sequence[Output]) -> pl.LazyFrame:
    """Return the rows of `asked` without the columns that only the engine needs."""
    inner = {*_OF_ENGINE, *(asked_column(output.name) for output in outputs)}
    return asked.select(name for name in asked.collect_schema().names() if name not in inner)


def manifest_of_ledger(ledger: Path, rows: pl.DataFrame, outputs: Sequence[Output]) -> pl.DataFrame:
    """Build the manifest of a finished run from its ledger; `rows` are those of `rows_of`."""
    made, fetched = (last_outcomes(ledger, stage, outputs) for stage in ("make", "fetch"))
    return build_manifest(rows.lazy(), made, fetched, outputs).collect()


def manifest_of_originals(asked: pl.LazyFrame, fetched: pl.LazyFrame) -> pl.LazyFrame:
    """Build the manifest of a download: one row per row of `asked` (`key`), in its order.

    Columns: `id`, those of a table of addresses besides, `status` (`success` or a reason),
    `error_message`, `path` of the original, and its download: addresses, HTTP status, attempts,
    bytes, seconds of all attempts, SHA-256, how it was verified (a `Proof`), ETag and
    Last-Modified. For originals that were there before, only path and bytes are known.
    """
    further = [name for name in asked.collect_schema().names() if name != "key"]
    found = asked.join(fetched, on="key", how="left", maintain_order="left").select(
        pl.col("key").cast(pl.Int64).alias("id"),
        *further,
        status(),
        pl.col("detail").alias("error_message"),
        "path",
        "url",
        *_OF_ARRIVAL,
        *_OF_DOWNLOAD,
        *_OF_PROOF,
    )
    return found.rename({GIVEN_KEY: KEY}, strict=False)


def write_manifest(manifest: pl.DataFrame, path: Path) -> None:
    """Write the manifest as Parquet. Raises OutputError."""
    write_parquet(manifest, path)


def read_ids(path: Path, *, opened: bool) -> pl.Series:
    """Return the ids of the images in a manifest whose original was read, or, if `opened`, that
    were made. Raises InputError if the file cannot be read, or is no manifest of a catalogue.
    """
    is_one = pl.col("status") == SUCCESS if opened else pl.col("original_bytes").is_not_null()
    with reading(path, "is not a manifest of images"):
        return pl.scan_parquet(path, glob=False).filter(is_one).select("id").collect()["id"]
