"""The command line of `crop`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.detecting import Counting
from dafre_fast.core.settings.images import (
    Bounds,
    Encoding,
    FaceImage,
    Recipe,
)
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import Selection
from dafre_fast.crop.settings import CropRun, HeadsTable


@cli.command(
    "crop",
    HeadsTable,
    CropRun,
    Selection,
    Counting,
    FaceImage,
    Encoding,
    Bounds,
    Dividing,
    Reporting,
)
def command(
    table: HeadsTable,
    run: CropRun,
    selection: Selection,
    counting: Counting,
    face: FaceImage,
    encoding: Encoding,
    bounds: Bounds,
    running: Dividing,
    reporting: Reporting,
) -> int:
    from dafre_fast.crop.run import crop_table
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.views.terminal import terminal

    recipe = Recipe(face=face, encoding=encoding, bounds=bounds)
    with terminal() as tell:
        rules = (table, run, selection, counting, recipe, running)
        summary = carry_out(crop_table, rules, run.output, None, tell)
    status = cli.report(summary, reporting)
    manifest = ("--manifest", run.manifest) if run.manifest else ()
    cli.show_next(summary, reporting, check=("verify", "--output", run.output, *manifest))
    return status


if __name__ == "__main__":
    cli.run(command)
