"""The command line of `full`: flags in, exit status out."""

from contextlib import ExitStack

from msgspec.structs import replace

from dafre_fast import cli
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import SharedFetching, Watching
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    Recipe,
)
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.full.settings import FullRun
from dafre_fast.stats.settings import Plotting


@cli.command(
    "full",
    FullRun,
    Selection,
    Splitting,
    TagSteps,
    Plotting,
    SharedFetching,
    FullImage,
    FaceImage,
    Encoding,
    Bounds,
    Dividing,
    Watching,
    Reporting,
)
def command(
    run: FullRun,
    selection: Selection,
    splitting: Splitting,
    steps: TagSteps,
    plotting: Plotting,
    fetching: SharedFetching,
    full: FullImage,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    running: Dividing,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.full.run import full as make
    from dafre_fast.full.show import show
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.views.terminal import terminal

    recipe = Recipe(full=full, face=face, encoding=encoding, bounds=bounds)
    with ExitStack() as stack:
        tell = stack.enter_context(terminal(watching))
        is_sample = not (run.faces or run.tag_ids or run.source)
        if is_sample and running.part:
            raise UsageError("--part needs --faces, --tag-ids and --source: a sample has no parts")
        run, fetching = _with_inputs(run, fetching, stack, tell)
        identity = "sample" if is_sample else None  # whichever port it is served on
        rules = (run, selection, splitting, steps, plotting, fetching, recipe, running)
        summary = carry_out(make, rules, run.output, run.source, tell, identity=identity)
    if running.part:
        return cli.report(summary, reporting)
    return show(summary, run.output, reporting, run.report)


def _with_inputs(
    run: FullRun, fetching: SharedFetching, stack: ExitStack, tell: Tell
) -> tuple[FullRun, SharedFetching]:
    """Return settings with the inputs of the sample, if none are named; the sample's server runs
    until `stack` is closed. Raises UsageError if only some are named.
    """
    named = (run.faces, run.tag_ids, run.source)
    if all(named):
        return run, fetching
    if any(named):
        raise UsageError("--faces, --tag-ids and --source go together; without all three, a sample")
    from dafre_fast.sample import served_sample

    sample = stack.enter_context(served_sample(run.output / "sample", tell))
    inputs = {"faces": sample.faces, "tag_ids": sample.tag_ids, "source": sample.source}
    metadata = fetching.metadata or sample.metadata
    return replace(run, **inputs), replace(fetching, metadata=metadata)


if __name__ == "__main__":
    cli.run(command)
