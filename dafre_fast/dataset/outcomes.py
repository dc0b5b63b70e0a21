"""Read the ledger as a table: the last outcome of each key."""

from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.reasons import SUCCESS, Reason
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.dataset.outputs import columns_of

_TEXT = "stage key recipe reason detail original format spool"
_TEXT_OF_FETCH = "path url final_url sha256 proof etag last_modified"
_WHOLE = "original_width original_height original_bytes offset"
_WHOLE_OF_FETCH = "bytes attempts http_status"
_SCHEMA = {
    **dict.fromkeys([*_TEXT.split(), *_TEXT_OF_FETCH.split()], pl.String()),
    **dict.fromkeys([*_WHOLE.split(), *_WHOLE_OF_FETCH.split()], pl.Int64()),
    "seconds": pl.Float64(),
    "at": pl.Float64(),
    "notes": pl.List(pl.String()),
}

_TRANSIENT = [reason.value for reason in Reason if reason.transient]


def last_outcomes(
    ledger: Path | bytes, stage: str, outputs: Sequence[Output] = (FULL_IMAGE, HEAD_CROP)
) -> pl.LazyFrame:
    """Return the last outcome of each key in one stage, `make` or `fetch`.

    `ledger` is a path, or the lines of a ledger. Columns are named like the fields of the records,
    and those of the outputs as in `dataset.outputs`; a ledger that is missing or empty has no rows.
    """
    schema = _SCHEMA | columns_of(outputs)
    size = len(ledger) if isinstance(ledger, bytes) else ledger.exists() and ledger.stat().st_size
    if not size:
        return pl.LazyFrame(schema=schema)
    lines = pl.scan_ndjson(ledger, schema=schema).filter(stage=stage)
    return lines.unique("key", keep="last", maintain_order=True)


def settled(
    outcomes: pl.LazyFrame, *, recipes: Collection[str] | None, retry_failed: bool
) -> pl.LazyFrame:
    """Return the outcomes that need not be repeated: of these recipes (None: of any), without
    transient failures, and, if `retry_failed`, without any failures.
    """
    stands = pl.col("reason").is_null()
    if not retry_failed:
        stands |= ~pl.col("reason").is_in(_TRANSIENT)
    if recipes is not None:
        stands &= pl.col("recipe").is_in([*recipes])
    return outcomes.filter(stands)


def status() -> pl.Expr:
    """Return the expression of column `status`: `success`, or the value of a `Reason`."""
    return pl.col("reason").fill_null(SUCCESS).alias("status")
