"""Originals alone: every key through the source, no worker involved."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from dafre_fast.engine.ledger import Ledger
from dafre_fast.engine.listing import remove_temporaries
from dafre_fast.model.files import STATE
from dafre_fast.model.reason import Reason
from dafre_fast.model.settings import Running
from dafre_fast.model.summary import Summary, Work
from dafre_fast.sources.source import Source
from dafre_fast.tables.outcomes import last_outcomes, settled
from dafre_fast.views.progress import Progress


def fetch_all(
    keys: list[str], source: Source, running: Running, output: Path, progress: Progress
) -> Summary:
    """Bring every key to an original on disk or a refusal that stands.

    What earlier runs refused for good is counted, not asked for again. Raises KeyboardInterrupt
    where it was stopped; all that was finished is kept.
    """
    with Ledger(output / STATE) as ledger:
        if ledger.interrupted:
            remove_temporaries(output)
        if not running.resume:
            ledger.forget()
        fetched = last_outcomes(ledger.path, "fetch")
        standing = settled(fetched, recipes=None, retry_refused=running.retry_refused)
        rows = standing.drop_nulls("reason").select("key", "reason").collect()
        refused = {key: Reason(reason) for key, reason in rows.iter_rows()}
        left = [key for key in keys if key not in refused]
        progress.begin(len(keys), len(keys) - len(left))
        counts = Counter(refused[key] for key in keys if key in refused)
        began, cpu = time.monotonic(), time.process_time()
        counts += asyncio.run(_fetch(iter(left), source, ledger, progress))
    work = Work(len(left), time.monotonic() - began, time.process_time() - cpu)
    success = len(keys) - counts.total()
    return Summary(len(keys), success, {str(why): n for why, n in counts.items()}, work)


async def _fetch(
    keys: Iterator[str], source: Source, ledger: Ledger, progress: Progress
) -> Counter[Reason]:
    refused = Counter[Reason]()

    async def feed() -> None:
        for key in keys:
            fetched = await source.fetch(key)
            if fetched.attempts or fetched.reason:
                ledger.append(fetched)
            if fetched.reason:
                refused[fetched.reason] += 1
            progress.advance(fetched.reason)

    await feed_from(source, feed)
    return refused


async def feed_from(source: Source, feed: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run as many feeders as the source serves at once. What one of them raises ends them all and
    is raised here, on its own.
    """
    try:
        async with source, asyncio.TaskGroup() as feeders:
            for _ in range(source.parallel):
                feeders.create_task(feed())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
