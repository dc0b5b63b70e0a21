"""The command line of `stats`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.stats.settings import Plotting, StatsRun


@cli.command("stats", StatsRun, Plotting, Printing)
def command(run: StatsRun, plotting: Plotting, printing: Printing) -> int:
    from dafre_fast.stats.run import stats
    from dafre_fast.stats.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        found = stats(run, plotting, tell)
    show(found, as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
