"""Checks of many small files, done by workers in batches."""

from collections.abc import Callable, Sequence
from itertools import starmap

import polars as pl

from dafre_fast.core.findings import Finding, Flaw, Output
from dafre_fast.core.settings.running import Workers, usable_cores
from dafre_fast.engine.executors.base import Lost, R, Spec, ready
from dafre_fast.engine.executors.choose import create

_BATCH = 64
"""Files in a job, so that handing out jobs costs the parent little per file."""

Batch = tuple[Output, ...]


async def look_at(
    outputs: pl.DataFrame,
    look: Callable[[Batch], R],
    take: Callable[[Batch, R | Finding], None],
    workers: Workers,
    preload: Sequence[str],
) -> float:
    """Call `look` with batches of all files, in worker processes, and `take` with each batch and
    its result. Returns the CPU time of the workers in seconds.

    `outputs` has the columns of `Output`; `look` must be picklable; for `preload` see `Spec`. If a
    worker is lost at a batch, its files are looked at again one by one; the result of a file at
    which a worker is lost again is a Finding (NOT_CHECKED).
    """
    lost = list[Output]()

    def sort(results: list[tuple[Batch, R | Lost]]) -> None:
        for batch, result in results:
            if not isinstance(result, Lost):
                take(batch, result)
            elif len(batch) > 1:
                lost.extend(batch)
            else:
                why = "a worker died or hung at it, twice"
                take(batch, Finding(Flaw.NOT_CHECKED, batch[0].file, why))

    spec = Spec[Batch, R](
        initialise=ready(look),
        on_results=sort,
        workers=workers.workers or usable_cores(),
        job_timeout_seconds=workers.image_timeout,
        preload=preload,
    )
    async with create(spec) as executor:
        for batch in outputs.select(Output._fields).iter_slices(_BATCH):
            await executor.submit(tuple(starmap(Output, batch.iter_rows())))
        await executor.drain()
        for output in lost:
            await executor.submit((output,))
        await executor.drain()
    return executor.cpu_seconds
