"""Carry out a run: send the images that are left to make through source and workers, and record
their outcomes in the ledger.

This is the one place that joins tables, sources, pixels and processes.
"""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.atomic import temporary
from dafre_fast.core.events import Doing, Notice
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Made, Sought, Wanted
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running, usable_cores
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.manifest import build_manifest
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.provenance import record_making
from dafre_fast.dataset.spools import Spools, all_places
from dafre_fast.engine.executors.base import Executor, Loss, Lost, Spec, ready
from dafre_fast.engine.executors.choose import create
from dafre_fast.engine.observers import Watch
from dafre_fast.engine.originals import Originals, fetch_originals, table_of_originals
from dafre_fast.engine.plan import remaining, remaining_of_spools, wanted, wanted_at
from dafre_fast.engine.refusals import reopened, tell_of_reopened
from dafre_fast.engine.remaking import Remaking
from dafre_fast.engine.resume import resumed
from dafre_fast.engine.timing import run_measured
from dafre_fast.engine.work import make_and_record
from dafre_fast.pixels.decoders.turbo import turbo

_LOST = {
    Loss.CRASHED: Reason.WORKER_CRASHED,
    Loss.TIMED_OUT: Reason.TIMEOUT,
    Loss.OUT_OF_MEMORY: Reason.OUT_OF_MEMORY,
}
# Imported once, before workers are forked: what they need, and what the module that `python -m`
# runs imports, since each worker imports that too.
_PRELOAD = (
    "dafre_fast.engine.work",
    "dafre_fast.pixels.making",
    "dafre_fast.pixels.decoders.turbo:turbo",  # searched once, not by every worker
    "dafre_fast.cli",
)
_SLOWER_JPEG = Notice(
    "libturbojpeg is not installed: JPEG goes through libvips, which costs more CPU time per"
    " image; `make setup`, or your system's package libturbojpeg0 or libturbojpeg, installs it"
)


def make_all(
    asked: pl.DataFrame,
    originals: Originals | None,
    recipe: Recipe,
    running: Running,
    output: Path,
    watch: Watch,
    spools: Spools | None = None,
) -> tuple[pl.DataFrame, Work]:
    """Bring every row of `asked` (`engine.plan`) to an outcome. `spools` are those of the output,
    if its images are to lie in shards.

    Outcomes of earlier runs in the ledger of `output` are kept if they are still valid. Returns the
    manifest and what this run did. Raises UsageError if images of other settings would be lost, and
    KeyboardInterrupt if the run was stopped; everything that was finished is then in the ledger.
    """
    if turbo() is None:
        watch.tell(_SLOWER_JPEG)
    watch.tell(Doing("reading the ledger"))
    with resumed(output, resume=running.resume) as ledger:
        made = last_outcomes(ledger.path, "make", recipe.outputs).collect().lazy()
        standing = _standing(asked, made, recipe, running, output, watch)
        record_making(output, recipe, resume=running.resume)
        if spools:
            asked = spools.assigned(asked)
        if originals:
            fetched = last_outcomes(ledger.path, "fetch").collect().lazy()
            originals = originals.with_record(fetched)
            standing = _without_reopened(standing, asked, fetched, originals, running, watch)
        todo, refused_before = _todo(asked, made, standing, recipe, spools)
        watch.begin(asked.height, asked.height - todo.height)
        if originals:
            todo = table_of_originals(todo, fetched, originals)
        work = _Run(originals, recipe, running, ledger, watch).carry_out(todo)
        watch.tell(Doing("gathering outcomes"))
        work = replace(work, refused_before=refused_before)
        ledger.mend()  # a worker may have died in the middle of a line
        made, fetched = (
            last_outcomes(ledger.path, stage, recipe.outputs) for stage in ("make", "fetch")
        )
        return build_manifest(asked.lazy(), made, fetched, recipe.outputs).collect(), work


def _standing(
    asked: pl.DataFrame,
    made: pl.LazyFrame,
    recipe: Recipe,
    running: Running,
    output: Path,
    watch: Watch,
) -> pl.LazyFrame:
    """Return the last outcomes that need not be repeated; say what becomes of others. Raises
    UsageError if images would be lost.
    """
    remaking = Remaking(output, recipe)
    remaking.refuse(asked, made)
    for notice in remaking.notices(asked, made):
        watch.tell(notice)
    return remaking.standing(made, retry_failed=running.retry_failed)


def _without_reopened(
    standing: pl.LazyFrame,
    asked: pl.DataFrame,
    fetched: pl.LazyFrame,
    originals: Originals,
    running: Running,
    watch: Watch,
) -> pl.LazyFrame:
    """Return the outcomes that stand without those refused because another source did not have
    their originals.
    """
    refused = standing.filter(pl.col("reason").is_not_null())
    again = refused.join(reopened(fetched, originals.identity), on="key", how="semi")
    if not running.retry_failed:
        tell_of_reopened(asked, again, watch)
    return standing.join(again, on="key", how="anti", maintain_order="left")


def _todo(
    asked: pl.DataFrame,
    made: pl.LazyFrame,
    standing: pl.LazyFrame,
    recipe: Recipe,
    spools: Spools | None,
) -> tuple[pl.DataFrame, int]:
    """Return the rows that are left to make, and how many images were refused by earlier runs and
    are left alone.
    """
    if spools:
        places = all_places(spools.dataset, made, recipe.outputs)
        todo = remaining_of_spools(asked, standing, places, recipe.outputs)
    else:
        todo = remaining(asked, standing, recipe.outputs, _size)
    refused = standing.filter(pl.col("reason").is_not_null()).select("key")
    refused_before = refused.join(asked.lazy(), on="key", how="semi").join(
        todo.lazy(), on="key", how="anti"
    )
    return todo, refused_before.collect().height


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a Path per file costs)
    except OSError:
        return None


class _Run:
    """One pass over the rows that are left."""

    def __init__(
        self,
        originals: Originals | None,
        recipe: Recipe,
        running: Running,
        ledger: Ledger,
        watch: Watch,
    ) -> None:
        self._originals, self._hashes = originals, recipe.hashes()
        self._outputs = recipe.outputs
        self._ledger, self._watch = ledger, watch
        self._done = 0
        self._spec = Spec(
            initialise=ready(partial(make_and_record, ledger.recorder(), recipe, self._hashes)),
            on_results=self._take,
            workers=running.workers or usable_cores(),
            job_timeout_seconds=running.image_timeout,
            memory_bytes=recipe.bounds.worker_memory,
            on_death=self._look_after,
            preload=_PRELOAD,
        )

    def carry_out(self, todo: pl.DataFrame) -> Work:
        """Make all images of a table; return what was done and what it took."""
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
            for image in wanted(todo, self._outputs):
                await executor.submit(image)
            return

        image_at = wanted_at(todo, self._outputs)

        async def take(sought: Sought, fetched: Fetched) -> None:
            image = image_at(sought.row)
            if fetched.reason:
                self._refuse(image, fetched.reason, fetched.detail)
                self._count([fetched.reason])
            else:
                await executor.submit(replace(image, original=fetched.path))

        await fetch_originals(
            todo, self._originals, self._ledger, self._watch, take, executor.drain
        )

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
        made = self._ledger.outcome(image.key)
        return made.reason if made else lost

    def _refuse(self, image: Wanted, reason: Reason, detail: str) -> None:
        recipe = self._hashes.of(reason)
        self._ledger.append(
            Made(
                key=image.key,
                recipe=recipe,
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
