"""The command line of `verify`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Workers
from dafre_fast.verify.settings import VerifyRun


@cli.command("verify", VerifyRun, Workers)
def command(run: VerifyRun, workers: Workers) -> int:
    from dafre_fast.verify.run import verify
    from dafre_fast.views.findings import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        verification = verify(run, workers, tell)
    show(verification, as_json=run.json)
    return int(bool(verification.findings))


if __name__ == "__main__":
    cli.run(command)
