"""The command line of `report`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.report.settings import ReportRun


@cli.command("report", ReportRun, Printing)
def command(run: ReportRun, printing: Printing) -> int:
    from dafre_fast.report.page import show
    from dafre_fast.report.run import write_report
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        written = write_report(run, tell)
    show(written, as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
