"""The command line of `full`: flags in, exit status out."""

import shlex
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from dafre_fast import cli
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching, Watching
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    FullImage,
    Recipe,
)
from dafre_fast.core.settings.running import Reporting, Running
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.full.settings import FullRun
from dafre_fast.report.settings import ReportRun
from dafre_fast.stats.settings import Plotting


@cli.command(
    "full",
    FullRun,
    Selection,
    Splitting,
    TagSteps,
    Plotting,
    Fetching,
    FullImage,
    FaceImage,
    Encoding,
    Bounds,
    Running,
    Watching,
    Reporting,
)
def command(
    run: FullRun,
    selection: Selection,
    splitting: Splitting,
    steps: TagSteps,
    plotting: Plotting,
    fetching: Fetching,
    full: FullImage,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    running: Running,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.full.run import full as make
    from dafre_fast.full.storing import put_dataset
    from dafre_fast.pack.show import show as show_pack
    from dafre_fast.views.terminal import terminal

    recipe = Recipe(full=full, face=face, encoding=encoding, bounds=bounds)
    with ExitStack() as stack:
        tell = stack.enter_context(terminal(watching))
        is_sample = not (run.faces or run.tag_ids or run.source)
        run, fetching = _with_inputs(run, fetching, stack, tell)
        identity = "sample" if is_sample else None  # whichever port it is served on
        rules = (selection, splitting, steps, plotting, fetching, recipe, running)
        summary = make(run, *rules, tell, identity)
    status = cli.report(summary, reporting)
    if summary.packed and not reporting.json:
        show_pack(summary.packed, as_json=False)
    if run.report:
        _write_report(run.output, reporting)
    if run.into:
        with terminal() as tell:
            put_dataset(run, tell)
    if summary.success and not reporting.json:
        _show_next(run.output)
    return status


def _write_report(output: Path, reporting: Reporting) -> None:
    from dafre_fast.report.page import show
    from dafre_fast.report.run import write_report
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        written = write_report(ReportRun(output=output), tell)
    if not reporting.json:
        show(written, as_json=False)


def _show_next(output: Path) -> None:
    folder = shlex.quote(str(output))
    print(
        f"next: `dafre-fast gallery --output {folder}` shows the images;"
        " verify, audit and pack take the same flag"
    )


def _with_inputs(
    run: FullRun, fetching: Fetching, stack: ExitStack, tell: Tell
) -> tuple[FullRun, Fetching]:
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
