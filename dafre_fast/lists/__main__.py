"""The command line of `lists`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.fetching import Fetching, Watching
from dafre_fast.core.settings.running import Reporting, Running
from dafre_fast.core.settings.tables import Tolerance
from dafre_fast.lists.settings import ListsRun


@cli.command("lists", ListsRun, Tolerance, Fetching, Running, Watching, Reporting)
def command(
    run: ListsRun,
    tolerance: Tolerance,
    fetching: Fetching,
    running: Running,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.lists.listing import lists
    from dafre_fast.lists.show import show
    from dafre_fast.views.terminal import terminal

    with terminal(watching if run.source else None) as tell:
        found = lists(run, tolerance, fetching, running, tell)
    show(found, as_json=reporting.json)
    in_vain = [tree for tree, summary in found.fetched.items() if cli.got_nothing(summary)]
    if in_vain:
        return 1
    refused = (sum(summary.refused.values()) for summary in found.fetched.values())
    return cli.judge(sum(refused), reporting)


if __name__ == "__main__":
    cli.run(command)
