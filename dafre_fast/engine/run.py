"""Make the images of a table: those that are left go through source and workers (`engine.feed`)."""

import os
from functools import partial
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.events import Doing, Notice
from dafre_fast.core.records import Made
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.core.summaries import Work
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.manifest import build_manifest
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.provenance import record_making
from dafre_fast.dataset.spools import Spools
from dafre_fast.engine.discarding import discard_all
from dafre_fast.engine.executors.base import ready
from dafre_fast.engine.feed import Feed, Task
from dafre_fast.engine.observers import Watch
from dafre_fast.engine.originals import Originals, table_of_originals
from dafre_fast.engine.parts import own_rows
from dafre_fast.engine.plan import lean, remaining, remaining_of_spools
from dafre_fast.engine.refusals import asked_again
from dafre_fast.engine.remaking import Remaking
from dafre_fast.engine.resume import resumed
from dafre_fast.engine.work import make_and_record
from dafre_fast.pixels.decoders.turbo import turbo

# Imported once, before workers are forked: what they need, and what the module that `python -m`
# runs imports, since each worker imports that too.
_PRELOAD = (
    "dafre_fast.engine.work",
    "dafre_fast.pixels.making",
    "dafre_fast.core.jit:load_all",
    "dafre_fast.pixels.decoders.turbo:turbo",  # searched once, not by every worker
    "dafre_fast.cli",
)
_SLOWER_JPEG = Notice(
    "libturbojpeg is not installed, nor simplejpeg: JPEG goes through libvips, which costs more CPU"
    " time per image; `pip install simplejpeg` installs the latter"
)


def make_all(
    asked: pl.DataFrame,
    originals: Originals | None,
    recipe: Recipe,
    running: Running,
    output: Path,
    watch: Watch,
    spools: Spools | None = None,
    whole: int = 0,
) -> tuple[pl.DataFrame, Work]:
    """Bring every row of `asked` (`engine.plan`) to an outcome. `spools` are those of the output,
    if its images are to lie in shards. `whole` is the number of all rows, if `asked` are some.

    Outcomes of earlier runs in the ledger of `output` are kept if they are still valid. A run of a
    part makes its own rows of `asked` alone (`engine.parts`). Returns the manifest and what this
    run did. Raises UsageError if images of other settings would be lost, and KeyboardInterrupt if
    the run was stopped; everything that was finished is then in the ledger.
    """
    if turbo() is None:
        watch.tell(_SLOWER_JPEG)
    watch.tell(Doing("reading the ledger"))
    with resumed(output, running) as ledger:
        rows, asked = own_rows(asked, running), lean(asked, recipe.outputs)
        if spools:
            asked = spools.assigned(asked)
        whole, asked = whole or asked.height, own_rows(asked, running)
        made = last_outcomes(ledger.paths, "make", recipe.outputs).collect().lazy()
        standing = _standing(asked, made, recipe, running, output, watch)
        record_making(output, recipe, resume=running.resume, state=ledger.path.parent)
        if originals:
            fetched = last_outcomes(ledger.paths, "fetch").collect().lazy()
            originals = originals.with_record(fetched)
            again = asked_again(standing, asked, fetched, originals.identity, running, watch)
            standing = standing.join(again, on="key", how="anti", maintain_order="left")
        todo, refused_before = left_to_make(asked, made, standing, recipe, spools)
        watch.begin(asked.height, asked.height - todo.height, whole)
        if originals:
            discard_all(originals, fetched, asked.lazy().join(todo.lazy(), on="key", how="anti"))
            todo = table_of_originals(todo, fetched, originals)
        task = _making(ledger, recipe)
        work = Feed(task, originals, running, ledger, watch).carry_out(todo)
        watch.tell(Doing("gathering outcomes"))
        work = replace(work, refused_before=refused_before)
        ledger.mend()  # a worker may have died in the middle of a line
        made, fetched = (
            last_outcomes(ledger.paths, stage, recipe.outputs) for stage in ("make", "fetch")
        )
        return build_manifest(rows.lazy(), made, fetched, recipe.outputs).collect(), work


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
    remaking = Remaking(output, recipe, part_of(running))
    remaking.refuse(asked, made)
    for notice in remaking.notices(asked, made):
        watch.tell(notice)
    return remaking.standing(made, retry_failed=running.retry_failed)


def left_to_make(
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
        places = spools.places(made, recipe.outputs)
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


def _making(ledger: Ledger, recipe: Recipe) -> Task:
    hashes = recipe.hashes()
    return Task(
        initialise=ready(partial(make_and_record, ledger.recorder(), recipe, hashes)),
        outcome=Made,
        recipe=hashes.of,
        memory_bytes=recipe.bounds.worker_memory,
        preload=_PRELOAD,
        outputs=recipe.outputs,
    )
