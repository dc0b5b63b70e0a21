"""The command line of `download`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.fetching import SharedFetching, Watching
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import FacesTable, Selection
from dafre_fast.download.settings import DownloadRun


@cli.command(
    "download",
    FacesTable,
    DownloadRun,
    Selection,
    SharedFetching,
    Dividing,
    Watching,
    Reporting,
)
def command(
    faces: FacesTable,
    run: DownloadRun,
    selection: Selection,
    fetching: SharedFetching,
    running: Dividing,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.download.run import download, simulate

    if run.simulate:
        from dafre_fast.download.show import show

        found = simulate(faces.faces, run, selection, fetching, running)
        show(found, as_json=reporting.json)
        return 0
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.views.terminal import terminal

    rules = (faces.faces, run, selection, fetching, running)
    with terminal(watching) as tell:
        summary = carry_out(download, rules, run.output, run.source, tell)
    status = cli.report(summary, reporting)
    if any(run.output.glob("[!.]*")):  # originals in a folder stay where they are
        cli.show_next(summary, reporting, make=("resize", "--input", run.output))
    return status


if __name__ == "__main__":
    cli.run(command)
