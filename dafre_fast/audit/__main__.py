"""The command line of `audit`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.audit.settings import AuditRun
from dafre_fast.core.settings.running import Reporting, Workers


@cli.command("audit", AuditRun, Workers, Reporting)
def command(run: AuditRun, workers: Workers, reporting: Reporting) -> int:
    from dafre_fast.audit.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        from dafre_fast.audit.run import audit  # it may have to compile kernels

        found = audit(run, workers, tell)
    show(found, as_json=reporting.json)
    return cli.judge(len(found.refused), reporting)


if __name__ == "__main__":
    cli.run(command)
