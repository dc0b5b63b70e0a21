"""The command line of `heads`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching, Watching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Reporting, Running
from dafre_fast.core.settings.tables import Selection, Tolerance
from dafre_fast.heads.settings import Candidates, HeadsRun


@cli.command(
    "heads",
    HeadsRun,
    Candidates,
    Detecting,
    Tolerance,
    Fetching,
    Bounds,
    Running,
    Watching,
    Reporting,
)
def command(
    run: HeadsRun,
    rules: Candidates,
    detecting: Detecting,
    tolerance: Tolerance,
    fetching: Fetching,
    bounds: Bounds,
    running: Running,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.heads.run import heads
    from dafre_fast.heads.show import show
    from dafre_fast.views.terminal import terminal

    selection = Selection(max_bad_rows=tolerance.max_bad_rows)
    with terminal(watching) as tell:
        summary = heads(run, rules, detecting, selection, fetching, bounds, running, tell)
    show(summary, as_json=reporting.json)
    refused = sum(summary.refused.values())
    return 1 if refused == summary.images else cli.judge(refused, reporting)


if __name__ == "__main__":
    cli.run(command)
