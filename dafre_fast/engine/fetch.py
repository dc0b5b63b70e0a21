"""Fetch originals alone, without workers."""

from pathlib import Path

import polars as pl

from dafre_fast.core.events import Doing
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.manifest import manifest_of_originals
from dafre_fast.dataset.outcomes import last_outcomes, settled
from dafre_fast.engine.observers import Watch
from dafre_fast.engine.originals import Originals, fetch_originals, table_of_originals
from dafre_fast.engine.resume import resumed
from dafre_fast.engine.timing import run_measured


def fetch_all(
    asked: pl.DataFrame, originals: Originals, running: Running, output: Path, watch: Watch
) -> tuple[pl.DataFrame, Work]:
    """Fetch the original of every row of `asked`; return the manifest and what this run did.

    Originals that earlier runs refused for good are not asked for again. Raises KeyboardInterrupt
    if the run is stopped; what was finished is kept.
    """
    watch.tell(Doing("reading the ledger"))
    with resumed(output, resume=running.resume) as ledger:
        fetched = last_outcomes(ledger.path, "fetch").collect().lazy()
        todo = table_of_originals(
            unrefused(asked, fetched, retry_failed=running.retry_failed), fetched, originals
        )
        watch.begin(asked.height, asked.height - todo.height)

        async def take(_: Sought, fetched: Fetched) -> None:
            watch.advance(fetched.reason)

        _, loop = run_measured(fetch_originals(todo, originals, ledger, watch, take))
        watch.tell(Doing("gathering outcomes"))
        work = Work(todo.height, loop.all, loop.cpu, watch.tally.downloads(loop))
        fetched = last_outcomes(ledger.path, "fetch")
        return manifest_of_originals(asked.lazy(), fetched).collect(), work


def unrefused(asked: pl.DataFrame, fetched: pl.LazyFrame, *, retry_failed: bool) -> pl.DataFrame:
    """Return the rows that earlier runs did not refuse for good."""
    standing = settled(fetched, recipes=None, retry_failed=retry_failed)
    refused = standing.filter(pl.col("reason").is_not_null())
    return asked.lazy().join(refused, on="key", how="anti", maintain_order="left").collect()
