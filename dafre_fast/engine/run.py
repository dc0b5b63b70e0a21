"""The run: what is asked for, less what is done, through source and workers, into the ledger.

This is the one place that joins tables, sources, pixels and processes.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.engine.fetching import feed_from
from dafre_fast.engine.ledger import Ledger
from dafre_fast.engine.plan import remaining, wanted
from dafre_fast.engine.pool import Lost, Pool
from dafre_fast.engine.work import make
from dafre_fast.model.files import STATE, temporary
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Made, Wanted
from dafre_fast.model.settings import Recipe, Running, usable_cores
from dafre_fast.model.summary import Work
from dafre_fast.pixels.turbo import turbo
from dafre_fast.sources.source import Source
from dafre_fast.tables.manifest import build_manifest
from dafre_fast.tables.outcomes import last_outcomes, settled
from dafre_fast.views.progress import Progress, notice_slower_jpeg

_LOST = {Lost.CRASHED: Reason.WORKER_CRASHED, Lost.TIMED_OUT: Reason.TIMEOUT}
# Imported once, before workers are forked: what they work with, and what the module run by
# `python -m`, which each of them imports too, imports in turn.
_PRELOAD = ("dafre_fast.engine.work", "dafre_fast.pixels.making", "dafre_fast.cli")


def make_all(
    asked: pl.DataFrame,
    source: Source | None,
    recipe: Recipe,
    running: Running,
    output: Path,
    progress: Progress,
) -> tuple[pl.DataFrame, Work]:
    """Bring every row of `asked` (`dafre_fast.engine.plan`) to an outcome that stands.

    Outcomes of earlier runs in the ledger of `output` that still hold are not made again. Returns
    the manifest and what this run did. Raises KeyboardInterrupt where it was stopped; all that was
    finished is in the ledger then.
    """
    if turbo() is None:
        notice_slower_jpeg()
    with Ledger(output / STATE) as ledger:
        if not running.resume:
            ledger.forget()
        made = last_outcomes(ledger.path, "make")
        standing = settled(made, recipes=recipe.hashes(), retry_refused=running.retry_refused)
        todo = remaining(asked, standing, os.path.exists)
        progress.begin(asked.height, asked.height - todo.height)
        work = _Run(source, recipe, running, ledger, progress).carry_out(todo)
        made, fetched = (last_outcomes(ledger.path, stage) for stage in ("make", "fetch"))
        return build_manifest(asked.lazy(), made, fetched).collect(), work


class _Run:
    """One pass over the rows that are left."""

    def __init__(
        self,
        source: Source | None,
        recipe: Recipe,
        running: Running,
        ledger: Ledger,
        progress: Progress,
    ) -> None:
        self._source, self._hashes = source, recipe.hashes()
        self._ledger, self._progress = ledger, progress
        self._done = 0
        self._new_pool = partial(
            Pool[Wanted, Made],
            partial(make, recipe, self._hashes),
            self._take,
            workers=running.workers or usable_cores(),
            job_timeout_seconds=running.image_timeout,
            preload=_PRELOAD,
        )

    def carry_out(self, todo: pl.DataFrame) -> Work:
        began, cpu = time.monotonic(), time.process_time()
        cpu_of_workers = asyncio.run(self._feed_pool(wanted(todo)))
        own = time.process_time() - cpu
        return Work(self._done, time.monotonic() - began, own + cpu_of_workers)

    async def _feed_pool(self, images: Iterator[Wanted]) -> float:
        pool = self._new_pool()
        try:
            async with pool:
                if self._source is None:
                    await self._feed(images, pool)
                else:
                    await feed_from(self._source, lambda: self._feed(images, pool))
                await pool.drain()
        finally:
            _remove_partial_outputs(pool.abandoned)
        return pool.cpu_seconds

    async def _feed(self, images: Iterator[Wanted], pool: Pool[Wanted, Made]) -> None:
        """Originals one after the other to the workers; several feeders share the images, and each
        waits where the workers are busy.
        """
        for image in images:
            if image.original is None:
                assert self._source is not None
                fetched = await self._source.fetch(image.key)
                if fetched.attempts:
                    self._ledger.append(fetched)
                if fetched.reason:
                    self._record(self._refused(image, fetched.reason, fetched.detail))
                    continue
                image = replace(image, original=fetched.path)  # noqa: PLW2901
            await pool.submit(image)

    def _take(self, results: list[tuple[Wanted, Made | Lost]]) -> None:
        self._record(
            *(
                self._lost(image, result) if isinstance(result, Lost) else result
                for image, result in results
            )
        )

    def _lost(self, image: Wanted, why: Lost) -> Made:
        return self._refused(image, _LOST[why], f"a worker {why.value} on it, twice")

    def _refused(self, image: Wanted, reason: Reason, detail: str) -> Made:
        return Made(
            key=image.key,
            recipe=self._hashes.of(reason),
            reason=reason,
            detail=detail,
            original=image.original,
        )

    def _record(self, *made: Made) -> None:
        self._ledger.append(*made)
        self._done += len(made)
        self._progress.advance(*(outcome.reason for outcome in made))


def _remove_partial_outputs(images: list[Wanted]) -> None:
    for image in images:
        for output in (image.full, image.face):
            if output is not None:
                with suppress(OSError):
                    temporary(Path(output)).unlink(missing_ok=True)
