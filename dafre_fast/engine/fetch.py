"""Fetch originals alone, without workers."""

from pathlib import Path

import polars as pl

from dafre_fast.core.events import Doing
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.manifest import manifest_of_originals
from dafre_fast.dataset.outcomes import last_outcomes, standing_refusals
from dafre_fast.engine.observers import Watch
from dafre_fast.engine.originals import Originals, fetch_originals, table_of_originals
from dafre_fast.engine.parts import own_rows
from dafre_fast.engine.refusals import reopened, tell_of_reopened
from dafre_fast.engine.resume import resumed
from dafre_fast.engine.timing import run_measured


def fetch_all(
    asked: pl.DataFrame, originals: Originals, running: Running, output: Path, watch: Watch
) -> tuple[pl.DataFrame, Work]:
    """Fetch the original of every row of `asked`, or of those of a part (`engine.parts`). Returns
    the manifest and what this run did.

    Originals that this source refused for good in earlier runs are not asked for again. Raises
    KeyboardInterrupt if the run is stopped; what was finished is kept.
    """
    watch.tell(Doing("reading the ledger"))
    whole, asked = asked.height, own_rows(asked, running)
    with resumed(output, running) as ledger:
        fetched = last_outcomes(ledger.paths, "fetch").collect().lazy()
        open_ = unrefused(asked, fetched, originals, retry_failed=running.retry_failed)
        if not running.retry_failed:
            tell_of_reopened(asked, reopened(fetched, originals.identity), watch)
        originals = originals.with_record(fetched)
        todo = table_of_originals(open_.select("key"), fetched, originals)
        watch.begin(asked.height, asked.height - todo.height, whole)

        async def take(_: Sought, fetched: Fetched) -> None:
            watch.advance(fetched.reason)

        _, loop = run_measured(fetch_originals(todo, originals, ledger, watch, take))
        watch.tell(Doing("gathering outcomes"))
        refused_before = asked.height - open_.height
        downloads = watch.tally.downloads(loop)
        work = Work(todo.height, loop.all, loop.cpu, downloads, refused_before)
        fetched = last_outcomes(ledger.paths, "fetch")
        return manifest_of_originals(asked.lazy(), fetched).collect(), work


def unrefused(
    asked: pl.DataFrame, fetched: pl.LazyFrame, originals: Originals, *, retry_failed: bool
) -> pl.DataFrame:
    """Return the rows that the source did not refuse for good in earlier runs."""
    refused = standing_refusals(fetched, originals.identity, retry_failed=retry_failed)
    return asked.lazy().join(refused, on="key", how="anti", maintain_order="left").collect()
