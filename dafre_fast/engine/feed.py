"""Send originals through a source and workers, and record what becomes of each.

What workers do with an original is a `Task`: `engine.run` makes images of it, `engine.detection`
searches it for heads.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.atomic import temporary
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Detected, Fetched, Made, Sought, Wanted
from dafre_fast.core.settings.images import Output
from dafre_fast.core.settings.running import Running, usable_cores
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.engine.executors.base import Executor, Loss, Lost, Spec
from dafre_fast.engine.executors.choose import create
from dafre_fast.engine.observers import Watch
from dafre_fast.engine.originals import Originals, fetch_originals
from dafre_fast.engine.plan import wanted, wanted_at
from dafre_fast.engine.timing import run_measured

_LOST = {
    Loss.CRASHED: Reason.WORKER_CRASHED,
    Loss.TIMED_OUT: Reason.TIMEOUT,
    Loss.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """The work on an original in a worker, and the record of one that could not be finished."""

    initialise: Callable[[], Callable[[Wanted], Reason | None]]
    """Called once in each worker. The function that it returns records the outcome of an original,
    and returns the reason if it was refused."""
    outcome: type[Made] | type[Detected]
    """The record of an outcome."""
    recipe: Callable[[Reason], str]
    """The hash of the settings that decide a refusal for this reason."""
    memory_bytes: int
    """Memory that a worker may take in addition to what it has when it is initialised."""
    preload: Sequence[str]
    """Modules and functions, as in `engine.executors.base.Spec`."""
    outputs: Sequence[Output] = ()
    """The outputs that are written."""


class Feed:
    """One pass over the rows that are left."""

    def __init__(
        self,
        task: Task,
        originals: Originals | None,
        running: Running,
        ledger: Ledger,
        watch: Watch,
    ) -> None:
        self._task, self._originals = task, originals
        self._ledger, self._watch = ledger, watch
        self._done = 0
        self._spec = Spec(
            initialise=task.initialise,
            on_results=self._take,
            workers=running.workers or usable_cores(),
            job_timeout_seconds=running.image_timeout,
            memory_bytes=task.memory_bytes,
            on_death=self._look_after,
            preload=task.preload,
        )

    def carry_out(self, todo: pl.DataFrame) -> Work:
        """Bring all rows of a table to an outcome; return what was done and what it took."""
        cpu_of_workers, loop = run_measured(self._feed_workers(todo))
        downloads = self._watch.tally.downloads(loop)
        return Work(self._done, loop.all, loop.cpu + cpu_of_workers, downloads)

    async def _feed_workers(self, todo: pl.DataFrame) -> float:
        executor = create(self._spec)
        try:
            async with executor:
                await self._feed(todo, executor)
                await executor.drain()
        finally:
            _remove_partial_outputs(executor.abandoned)
        return executor.cpu_seconds

    async def _feed(self, todo: pl.DataFrame, executor: Executor[Wanted]) -> None:
        """Submit images to the workers once their originals are there; wait if workers are busy."""
        if self._originals is None:
            for image in wanted(todo, self._task.outputs):
                await executor.submit(image)
            return

        originals, image_at = self._originals, wanted_at(todo, self._task.outputs)

        async def take(sought: Sought, fetched: Fetched) -> None:
            image = image_at(sought.row)
            if fetched.reason:
                self._refuse(image, fetched.reason, fetched.detail)
                self._count([fetched.reason])
            else:
                removable = originals.may_remove(fetched)
                await executor.submit(replace(image, original=fetched.path, removable=removable))

        await fetch_originals(todo, originals, self._ledger, self._watch, take, executor.drain)

    def _take(self, results: list[tuple[Wanted, Reason | Lost | None]]) -> None:
        reasons: list[Reason | None] = []
        for image, result in results:
            if isinstance(result, Lost):
                detail = f"a worker {result.loss.value} on it, twice ({result.cause})"
                self._refuse(image, _LOST[result.loss], detail)
                reasons.append(_LOST[result.loss])
            else:
                reasons.append(result)
        self._count(reasons)

    def _look_after(self, image: Wanted, lost: Lost) -> Reason | Lost | None:
        """Look up an image whose worker died: it may have recorded the outcome before it died."""
        _remove_partial_outputs([image])
        found = self._ledger.outcome(image.key, self._task.outcome)
        return found.reason if found else lost

    def _refuse(self, image: Wanted, reason: Reason, detail: str) -> None:
        self._ledger.append(
            self._task.outcome(
                key=image.key,
                recipe=self._task.recipe(reason),
                reason=reason,
                detail=detail,
                original=image.original,
            )
        )

    def _count(self, reasons: list[Reason | None]) -> None:
        """Count outcomes, now that they are in the ledger."""
        self._done += len(reasons)
        self._watch.advance(*reasons)


def _remove_partial_outputs(images: list[Wanted]) -> None:
    for image in images:
        for output in image.outputs:
            with suppress(OSError):
                temporary(Path(output.path)).unlink(missing_ok=True)
