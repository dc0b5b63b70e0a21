"""The command line of `full`: flags in, exit status out."""

import shlex
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from dafre_fast import cli
from dafre_fast.core.events import Notice, Tell
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching, Keeping, Watching
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
from dafre_fast.full.inputs import refuse_unfit
from dafre_fast.full.settings import FullRun, Search
from dafre_fast.report.settings import ReportRun
from dafre_fast.stats.settings import Plotting


@cli.command(
    "full",
    FullRun,
    Selection,
    Splitting,
    TagSteps,
    Plotting,
    Search,
    Detecting,
    Fetching,
    Keeping,
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
    search: Search,
    detecting: Detecting,
    fetching: Fetching,
    keeping: Keeping,
    full: FullImage,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    running: Running,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.full.finding import Finding
    from dafre_fast.full.run import full as make
    from dafre_fast.pack.show import show as show_pack
    from dafre_fast.views.terminal import terminal

    refuse_unfit(run, fetching, search, detecting)
    recipe = Recipe(full=full, face=face, encoding=encoding, bounds=bounds)
    with ExitStack() as stack:
        tell = stack.enter_context(terminal(watching))
        identity = None if run.source else "sample"  # whichever port it is served on
        finding = Finding(search, detecting) if detecting.detector else None
        run, fetching = _with_inputs(run, fetching, detecting, stack, tell)
        rules = (selection, splitting, steps, plotting, fetching, recipe, running)
        summary = make(run, *rules, tell, identity, keeping, finding)
    status = cli.report(summary, reporting)
    if summary.packed and not reporting.json:
        show_pack(summary.packed, as_json=False)
    if run.report:
        _write_report(run.output, reporting)
    if summary.success and not reporting.json:
        _show_next(run.output)
    return status


_POSTS_OF_SAMPLE = Notice(
    "the sample has the originals of some of its posts; those of the others are not_found"
)


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
    run: FullRun, fetching: Fetching, detecting: Detecting, stack: ExitStack, tell: Tell
) -> tuple[FullRun, Fetching]:
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
