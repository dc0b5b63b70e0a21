"""`python -m dafre_fast.full`: the whole run, on the embedded sample where no input is named."""

from contextlib import ExitStack
from pathlib import Path

from dafre_fast import cli
from dafre_fast.model.errors import UsageError
from dafre_fast.model.settings import (
    Bounds,
    Encoding,
    FaceImage,
    Fetching,
    FullImage,
    FullRun,
    Recipe,
    Reporting,
    Running,
    Selection,
    Watching,
)


@cli.command(
    "full",
    FullRun,
    Selection,
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
    fetching: Fetching,
    full: FullImage,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    running: Running,
    watching: Watching,
    reporting: Reporting,
) -> int:
    """Make a dataset: tables, originals, full images, face crops, labels, manifest, summary.

    Without --faces, --tag-ids and --source a small sample is drawn and served on this machine.
    """
    from dafre_fast.engine import commands

    recipe = Recipe(full=full, face=face, encoding=encoding, bounds=bounds)
    with ExitStack() as stack:
        faces, tag_ids, source = _inputs(run, stack)
        summary = commands.full(
            faces, tag_ids, source, run.output, selection, fetching, recipe, running, watching
        )
    return cli.report(summary, reporting)


def _inputs(run: FullRun, stack: ExitStack) -> tuple[Path, Path, str]:
    if run.faces and run.tag_ids and run.source:
        return run.faces, run.tag_ids, run.source
    if run.faces or run.tag_ids or run.source:
        raise UsageError("--faces, --tag-ids and --source go together; without all three, a sample")
    from dafre_fast.sample import served_sample

    sample = stack.enter_context(served_sample(run.output / "sample"))
    return sample.faces, sample.tag_ids, sample.source


if __name__ == "__main__":
    cli.run(command)
