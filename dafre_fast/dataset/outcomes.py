"""Read the ledger as a table: the last outcome of each key."""

from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from dafre_fast.core.reasons import SUCCESS, Reason
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.dataset.outputs import columns_of

_TEXT = "stage key recipe reason detail original format spool"
_TEXT_OF_FETCH = "path url final_url sha256 proof etag last_modified source"
_WHOLE = "original_width original_height original_bytes offset"
_WHOLE_OF_FETCH = "bytes attempts http_status"
_SCHEMA = {
    **dict.fromkeys([*_TEXT.split(), *_TEXT_OF_FETCH.split()], pl.String()),
    **dict.fromkeys([*_WHOLE.split(), *_WHOLE_OF_FETCH.split()], pl.Int64()),
    "seconds": pl.Float64(),
    "at": pl.Float64(),
    "notes": pl.List(pl.String()),
}
_OF_DETECTION = {"heads": pl.List(pl.List(pl.Float64()))}

_TRANSIENT = [reason.value for reason in Reason if reason.transient]


def last_outcomes(
    ledger: Path | bytes | Sequence[Path],
    stage: str,
    outputs: Sequence[Output] = (FULL_IMAGE, HEAD_CROP),
) -> pl.LazyFrame:
    """Return the last outcome of each key in one stage: `fetch`, `make` or `detect`.

    `ledger` is a path, the lines of a ledger, or paths of ledgers that follow one another. Columns
    are named like the fields of the records, and those of the outputs as in `dataset.outputs`; a
    ledger that is missing or empty has no rows.
    """
    schema = _SCHEMA | columns_of(outputs) | (_OF_DETECTION if stage == "detect" else {})
    texts: bytes | list[Path] = ledger if isinstance(ledger, bytes) else _filled(ledger)
    if not texts:
        return pl.LazyFrame(schema=schema)
    lines = pl.scan_ndjson(texts, schema=schema).filter(stage=stage)
    return lines.unique("key", keep="last", maintain_order=True)


def _filled(ledgers: Path | Sequence[Path]) -> list[Path]:
    paths = [ledgers] if isinstance(ledgers, Path) else ledgers
    return [path for path in paths if path.exists() and path.stat().st_size]


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


def gave_before(fetched: pl.LazyFrame, source: str) -> bool:
    """Return whether a source, by its fingerprint, has given an original. What an earlier version
    fetched, which recorded no source, counts for any.
    """
    of_it = pl.col("source").eq_missing(pl.lit(source))
    of_an_earlier_version = pl.col("source").is_null() & pl.col("url").is_not_null()
    gave = fetched.filter(pl.col("reason").is_null() & (of_it | of_an_earlier_version))
    return gave.limit(1).collect().height > 0


def standing_refusals(fetched: pl.LazyFrame, source: str, *, retry_failed: bool) -> pl.LazyFrame:
    """Return the refusals of originals that need not be asked for again: those that `source` gave
    for good, if it has given an original as well. One that gave none may be a mistyped address, and
    what another source refused, or an earlier version that recorded none, says nothing of this one.
    """
    refused = settled(fetched, recipes=None, retry_failed=retry_failed).filter(
        pl.col("reason").is_not_null(), source=source
    )
    return refused if gave_before(fetched, source) else refused.clear()


def status() -> pl.Expr:
    """Return the expression of column `status`: `success`, or the value of a `Reason`."""
    return pl.col("reason").fill_null(SUCCESS).alias("status")
