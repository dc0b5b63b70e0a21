"""`python -m dafre_fast.labels`: label files from faces.tsv, no image needed."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.settings.tables import CatalogueTables, Selection
from dafre_fast.labels.settings import LabelsOutput


@cli.command("labels", CatalogueTables, LabelsOutput, Selection, Reporting)
def command(
    tables: CatalogueTables, run: LabelsOutput, selection: Selection, reporting: Reporting
) -> int:
    """Select the heads of faces.tsv, split them as published and write the label files."""
    from dafre_fast.labels.run import labels

    summary = labels(tables.faces, tables.tag_ids, run.output, selection)
    return cli.report(summary, reporting)


if __name__ == "__main__":
    cli.run(command)
