"""Originals alone: every key through the source, no worker involved."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import polars as pl

from dafre_fast.engine.ledger import Ledger
from dafre_fast.engine.listing import remove_temporaries
from dafre_fast.engine.originals import Originals, bring, with_known
from dafre_fast.model.files import STATE
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Fetched, Sought
from dafre_fast.model.settings import Running
from dafre_fast.model.summary import Summary, Work
from dafre_fast.tables.outcomes import last_outcomes, settled
from dafre_fast.views.progress import Progress


def fetch_all(
    asked: pl.DataFrame,
    originals: Originals,
    metadata: pl.LazyFrame | None,
    running: Running,
    output: Path,
    progress: Progress,
) -> Summary:
    """Bring every `key` of `asked` to an original on disk or a refusal that stands.

    What earlier runs refused for good is counted, not asked for again. Raises KeyboardInterrupt
    where it was stopped; all that was finished is kept.
    """
    with Ledger(output / STATE) as ledger:
        if ledger.interrupted:
            remove_temporaries(output)
        if not running.resume:
            ledger.forget()
        fetched = last_outcomes(ledger.path, "fetch").collect().lazy()
        standing = settled(fetched, recipes=None, retry_failed=running.retry_failed)
        refused = asked.lazy().join(standing.drop_nulls("reason"), on="key", how="semi").collect()
        left = with_known(asked.join(refused, on="key", how="anti"), fetched, metadata)
        reasons = fetched.join(refused.lazy(), on="key", how="semi").collect()["reason"]
        progress.begin(asked.height, refused.height)
        counts = Counter(map(Reason, reasons))
        began, cpu = time.monotonic(), time.process_time()
        counts += asyncio.run(_fetch(left, originals, ledger, progress))
    work = Work(left.height, time.monotonic() - began, time.process_time() - cpu)
    success = asked.height - counts.total()
    return Summary(asked.height, success, {str(why): n for why, n in counts.items()}, work)


async def _fetch(
    rows: pl.DataFrame, originals: Originals, ledger: Ledger, progress: Progress
) -> Counter[Reason]:
    refused = Counter[Reason]()

    async def take(_: Sought, fetched: Fetched) -> None:
        if fetched.attempts or fetched.reason:
            ledger.append(fetched)
        if fetched.reason:
            refused[fetched.reason] += 1
        progress.advance(fetched.reason)

    await bring(rows, originals, take)
    return refused
