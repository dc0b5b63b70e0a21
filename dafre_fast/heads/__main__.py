"""The command line of `heads`: flags in, exit status out."""

from msgspec.structs import asdict

from dafre_fast import cli
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import SharedFetching, Watching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Dividing, Reporting
from dafre_fast.core.settings.tables import Selection, Taking, Tolerance
from dafre_fast.heads.settings import Candidates, HeadsRun


@cli.command(
    "heads",
    HeadsRun,
    Candidates,
    Detecting,
    Tolerance,
    Taking,
    SharedFetching,
    Bounds,
    Dividing,
    Watching,
    Reporting,
)
def command(
    run: HeadsRun,
    rules: Candidates,
    detecting: Detecting,
    tolerance: Tolerance,
    taking: Taking,
    fetching: SharedFetching,
    bounds: Bounds,
    running: Dividing,
    watching: Watching,
    reporting: Reporting,
) -> int:
    from dafre_fast.heads.run import heads
    from dafre_fast.heads.show import show_whole
    from dafre_fast.merge.engines import carry_out
    from dafre_fast.views.terminal import terminal

    selection = Selection(max_bad_rows=tolerance.max_bad_rows, **asdict(taking))
    groups = (run, rules, detecting, selection, fetching, bounds, running)
    with terminal(watching) as tell:
        summary = carry_out(heads, groups, run.output, run.source, tell)
    return show_whole(summary, reporting)


if __name__ == "__main__":
    cli.run(command)
