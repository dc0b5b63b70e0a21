"""Refusals of earlier runs: which of them stand, and which are tried again."""

import polars as pl

from dafre_fast.core.events import Notice
from dafre_fast.core.settings.running import Running
from dafre_fast.dataset.outcomes import settled, standing_refusals
from dafre_fast.engine.observers import Watch


def reopened(fetched: pl.LazyFrame, source: str) -> pl.LazyFrame:
    """Return the refusals of originals for good that do not stand, because another source gave
    them, or one that has given nothing else. `fetched` are last outcomes; `source` is the
    fingerprint of the source of this run.
    """
    for_good = settled(fetched, recipes=None, retry_failed=False).filter(
        pl.col("reason").is_not_null()
    )
    standing = standing_refusals(fetched, source, retry_failed=False)
    return for_good.join(standing, on="key", how="anti")


def tell_of_reopened(asked: pl.DataFrame, again: pl.LazyFrame, watch: Watch) -> None:
    """Say how many of the images asked for are tried again, and why."""
    number = asked.lazy().join(again, on="key", how="semi").collect().height
    if number:
        were = "1 original was" if number == 1 else f"{number:,} originals were"
        why = "refused by another source, or by one that gave no original"
        watch.tell(Notice(f"{were} {why}: asked for again"))


def asked_again(
    standing: pl.LazyFrame,
    asked: pl.DataFrame,
    fetched: pl.LazyFrame,
    source: str,
    running: Running,
    watch: Watch,
) -> pl.LazyFrame:
    """Return the outcomes among those that stand that are refusals only because another source did
    not have the originals, and say how many there are.
    """
    refused = standing.filter(pl.col("reason").is_not_null())
    again = refused.join(reopened(fetched, source), on="key", how="semi")
    if not running.retry_failed:
        tell_of_reopened(asked, again, watch)
    return again
