"""The command line of `merge`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.merge.settings import MergeRun


@cli.command("merge", MergeRun, Reporting)
def command(run: MergeRun, reporting: Reporting) -> int:
    from dafre_fast.core.addresses import store_address
    from dafre_fast.merge.run import folder_of, merge
    from dafre_fast.merge.show import show
    from dafre_fast.views.terminal import terminal

    with folder_of(run.output) as folder:
        with terminal() as tell:
            merged = merge(folder, tell)
        return show(merged, folder, reporting, store_address(run.output))


if __name__ == "__main__":
    cli.run(command)
