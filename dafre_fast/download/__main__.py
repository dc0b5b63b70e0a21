"""The command line of `download`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.fetching import SharedFetching, Watching
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import AnyTable, Selection
from dafre_fast.download.settings import DownloadRun, Listing


@cli.command(
    "download",
    Listing,
    AnyTable,
    DownloadRun,
    Selection,
    SharedFetching,
    Dividing,
    Watching,
    Reporting,
)
def command(
    listing: Listing,
    table: AnyTable,
    run: DownloadRun,
    selection: Selection,
    fetching: SharedFetching,
    running: Dividing,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.download.run import download, refuse_unfit, simulate
    from dafre_fast.engine.table_files import TABLE, table_at_hand, table_for_reading

    refuse_unfit(listing, table, run, selection, fetching)
    if run.simulate:
        from dafre_fast.download.show import show

        with table_for_reading(table, fetching) as here:
            found = simulate(listing.faces, run, selection, fetching, running, here)
        show(found, as_json=reporting.json)
        return 0
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.views.terminal import terminal

    rules = (listing.faces, run, selection, fetching, running)
    with terminal(watching) as tell:
        table = table_at_hand(table, run.output, fetching, tell, resume=running.resume)
        source = TABLE if table.table else run.source
        summary = carry_out(download, rules, run.output, source, tell, table=table)
    status = cli.report(summary, reporting)
    if any(run.output.glob("[!.]*")):  # originals in a folder stay where they are
        cli.show_next(summary, reporting, make=("resize", "--input", run.output))
    return status


if __name__ == "__main__":
    cli.run(command)
