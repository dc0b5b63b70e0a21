"""`python -m dafre_fast.report`: a page that shows what a finished dataset is."""

from dafre_fast import cli
from dafre_fast.model.settings import Printing, ReportRun


@cli.command("report", ReportRun, Printing)
def command(run: ReportRun, printing: Printing) -> int:
    """Write DIR/report/index.html: funnel, classes, pictures, sizes, tags, refusals, data card.

    The folder opens from disk and needs nothing else; what cannot be read is left out and told.
    """
    from dafre_fast.engine.report import write_report
    from dafre_fast.views.report import show

    show(write_report(run), as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
