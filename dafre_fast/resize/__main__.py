"""The command line of `resize`: flags in, exit status out."""

from msgspec.structs import asdict

from dafre_fast import cli
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FullImage,
    Recipe,
    Shapes,
)
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import AnyTable, Selection, Taking, Tolerance
from dafre_fast.resize.settings import ResizeRun


@cli.command(
    "resize",
    ResizeRun,
    AnyTable,
    Tolerance,
    Taking,
    FullImage,
    Encoding,
    Bounds,
    Shapes,
    Dividing,
    Reporting,
)
def command(
    run: ResizeRun,
    table: AnyTable,
    tolerance: Tolerance,
    taking: Taking,
    full: FullImage,
    encoding: Encoding,
    bounds: Bounds,
    shapes: Shapes,
    running: Dividing,
    reporting: Reporting,
) -> int:
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.resize.run import resize
    from dafre_fast.views.terminal import terminal

    recipe = Recipe(full=full, encoding=encoding, bounds=bounds, shapes=shapes)
    selection = Selection(max_bad_rows=tolerance.max_bad_rows, **asdict(taking))
    with terminal() as tell:
        summary = carry_out(
            resize, (run, recipe, running), run.output, None, tell, selection=selection, table=table
        )
    status = cli.report(summary, reporting)
    manifest = ("--manifest", run.manifest) if run.manifest else ()
    cli.show_next(summary, reporting, check=("verify", "--output", run.output, *manifest))
    return status


if __name__ == "__main__":
    cli.run(command)
