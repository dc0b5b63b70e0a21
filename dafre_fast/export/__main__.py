"""The command line of `export`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.export.settings import ExportRun


@cli.command("export", ExportRun, Reporting)
def command(run: ExportRun, reporting: Reporting) -> int:
    from dafre_fast.export.run import export
    from dafre_fast.export.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        exported = export(run, tell)
    show(exported, as_json=reporting.json)
    return cli.judge(sum(exported.damaged.values()), reporting)


if __name__ == "__main__":
    cli.run(command)
