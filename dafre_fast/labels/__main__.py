"""The command line of `labels`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.settings.tables import CatalogueTables, Selection, Splitting
from dafre_fast.labels.settings import LabelsOutput


@cli.command("labels", CatalogueTables, LabelsOutput, Selection, Splitting, Reporting)
def command(
    tables: CatalogueTables,
    run: LabelsOutput,
    selection: Selection,
    splitting: Splitting,
    reporting: Reporting,
) -> int:
    from dafre_fast.labels.run import labels
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        summary = labels(tables.faces, tables.tag_ids, run.output, selection, splitting, tell)
    return cli.report(summary, reporting)


if __name__ == "__main__":
    cli.run(command)
