"""`python -m dafre_fast.report`: write a page that shows what a finished dataset is."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.report.settings import ReportRun


@cli.command("report", ReportRun, Printing)
def command(run: ReportRun, printing: Printing) -> int:
    """Write DIR/report/index.html: funnel, classes, pictures, sizes, tags, refusals, data card.

    The folder opens from disk and needs nothing else. Unreadable files are left out and named.
    """
    from dafre_fast.report.page import show
    from dafre_fast.report.run import write_report

    show(write_report(run), as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
