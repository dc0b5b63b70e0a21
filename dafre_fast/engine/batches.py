"""Many small files, looked at by workers: a batch at a time."""

from collections.abc import Callable, Sequence
from itertools import starmap

import polars as pl

from dafre_fast.core.findings import Finding, Flaw, Output
from dafre_fast.core.settings.running import Workers, usable_cores
from dafre_fast.engine.executors.base import Lost, R, Spec, ready
from dafre_fast.engine.executors.choose import create

_BATCH = 64
"""Files a worker is sent at once: what the parent does for each stays small beside a read."""

Batch = tuple[Output, ...]


async def look_at(
    outputs: pl.DataFrame,
    look: Callable[[Batch], R],
    take: Callable[[Batch, R | Finding], None],
    workers: Workers,
    preload: Sequence[str],
) -> float:
    """`look` at all files, in worker processes, and `take` what comes of each batch. One on which a
    worker is lost is done again file by file; where that is lost as well, a Finding comes of it.

    `outputs` has the columns of `Output`; `look` must be picklable; `preload` as `Spec` has it.
    Returns the CPU time of the workers in seconds.
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
