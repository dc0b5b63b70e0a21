"""The command line of `full`: flags in, exit status out."""

from contextlib import ExitStack
from functools import partial

from msgspec.structs import replace

from dafre_fast import cli
from dafre_fast.core.events import Notice, Tell
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Keeping, SharedFetching, Watching
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    Recipe,
    Shapes,
)
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import AnyTable, Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import HeadsSummary, Summary
from dafre_fast.full.inputs import refuse_unfit
from dafre_fast.full.settings import FullRun, Search
from dafre_fast.report.settings import Presenting
from dafre_fast.stats.settings import Plotting


@cli.command(
    "full",
    FullRun,
    AnyTable,
    Selection,
    Splitting,
    TagSteps,
    Plotting,
    Search,
    Detecting,
    SharedFetching,
    Keeping,
    FullImage,
    FaceImage,
    Encoding,
    Bounds,
    Shapes,
    Dividing,
    Watching,
    Reporting,
    Presenting,
)
def command(
    run: FullRun,
    table: AnyTable,
    selection: Selection,
    splitting: Splitting,
    steps: TagSteps,
    plotting: Plotting,
    search: Search,
    detecting: Detecting,
    fetching: SharedFetching,
    keeping: Keeping,
    full: FullImage,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    shapes: Shapes,
    running: Dividing,
    watching: Watching,
    reporting: Reporting,
    presenting: Presenting,
) -> int:
    from dafre_fast.engine.rows import refuse_beside_table
    from dafre_fast.engine.table_files import TABLE, table_at_hand, table_for_reading
    from dafre_fast.full.finding import Finding
    from dafre_fast.full.run import full as make
    from dafre_fast.full.show import show
    from dafre_fast.full.storing import begin
    from dafre_fast.heads.show import show_whole
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.report.links import Links
    from dafre_fast.views.terminal import terminal

    refuse_unfit(run, table, fetching, search, detecting, running)
    refuse_beside_table(table, run.faces, selection, fetching, splitting)
    Links(presenting.gallery)  # or else it is refused after the run
    recipe = Recipe(full=full, face=face, encoding=encoding, bounds=bounds, shapes=shapes)
    if run.dry_run:
        from dafre_fast.full.rehearsal import rehearse
        from dafre_fast.full.show import show_rehearsal

        with terminal(watching) as tell, table_for_reading(table, fetching, tell) as here:
            rules_of_rows = (run, selection, splitting, fetching)
            found = rehearse(*rules_of_rows, recipe, running, keeping, tell, here)
        show_rehearsal(found, as_json=reporting.json)
        return 0
    with ExitStack() as stack:
        tell = stack.enter_context(terminal(watching))
        # whichever port the sample is served on
        identity = None if run.source or table.table else "sample"
        finding = Finding(search, detecting) if detecting.detector else None
        if table.table:
            table = table_at_hand(table, run.output, fetching, tell, resume=running.resume)
        else:
            run, fetching = _with_inputs(run, fetching, detecting, stack, tell)
        rules = (run, selection, splitting, steps, plotting, fetching, recipe, running)
        source = TABLE if table.table else run.source
        more = {"identity": identity, "keeping": keeping, "finding": finding, "table": table}
        started = partial(begin, run, running, tell)
        summary = carry_out(make, rules, run.output, source, tell, started, **more)
        if isinstance(summary, HeadsSummary) and not running.part:  # engines found those of all
            rules = (*rules[:-1], replace(running, resume=True))
            summary = carry_out(make, rules, run.output, source, tell, None, **more)
        if run.compat and isinstance(summary, Summary) and summary.success:
            summary = _packed_for_img2dataset(summary, run, running, tell)
    if isinstance(summary, HeadsSummary):
        return show_whole(summary, reporting)
    if running.part:
        return cli.report(summary, reporting)
    return show(summary, run.output, reporting, run.report, presenting=presenting)


def _packed_for_img2dataset(
    summary: Summary, run: FullRun, running: Dividing, tell: Tell
) -> Summary:
    """Write shards as img2dataset does. The summary tells of these, last written, in any case."""
    from dafre_fast.pack.run import pack
    from dafre_fast.pack.settings import PackRun

    shards = PackRun(
        output=run.output,
        format="img2dataset",
        shard_size=run.shard_size,
        workers=running.workers,
    )
    return replace(summary, packed=pack(shards, tell, digests=False))


_POSTS_OF_SAMPLE = Notice(
    "the sample has the originals of some of its posts; those of the others are not_found"
)


def _with_inputs(
    run: FullRun, fetching: SharedFetching, detecting: Detecting, stack: ExitStack, tell: Tell
) -> tuple[FullRun, SharedFetching]:
    """Return settings with the inputs of the sample, if none are named; the sample's server runs
    until `stack` is closed. With a detector, the sample's own faces.tsv is not among them.

    Raises as `find_model` does, before the sample is drawn.
    """
    if run.source:
        return run, fetching
    from dafre_fast.engine.detection import find_model
    from dafre_fast.sample import served_sample

    if detecting.detector:
        find_model(detecting, run.output, fetching, tell)
    sample = stack.enter_context(served_sample(run.output / "sample", tell))
    if detecting.detector:
        tell(_POSTS_OF_SAMPLE)
    tables = {} if detecting.detector else {"faces": sample.faces, "tag_ids": sample.tag_ids}
    metadata = fetching.metadata or sample.metadata
    return replace(run, source=sample.source, **tables), replace(fetching, metadata=metadata)


if __name__ == "__main__":
    cli.run(command)
