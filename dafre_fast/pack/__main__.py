"""The command line of `pack`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.pack.settings import PackRun


@cli.command("pack", PackRun, Reporting)
def command(run: PackRun, reporting: Reporting) -> int:
    from dafre_fast.pack.run import pack
    from dafre_fast.pack.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        packed = pack(run, tell)
    show(packed, as_json=reporting.json)
    return cli.judge(sum(packed.damaged.values()), reporting)


if __name__ == "__main__":
    cli.run(command)
