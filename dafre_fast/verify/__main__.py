"""`python -m dafre_fast.verify`: check that a dataset is complete and as it was recorded."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Workers
from dafre_fast.verify.settings import VerifyRun


@cli.command("verify", VerifyRun, Workers)
def command(run: VerifyRun, workers: Workers) -> int:
    """Read everything back and compare it with what was recorded; exit status 1 if anything is off.

    Files against manifest and ledger, labels against the manifest, manifest against the ledger.
    """
    from dafre_fast.verify.run import verify
    from dafre_fast.views.findings import show

    verification = verify(run, workers)
    show(verification, as_json=run.json)
    return int(bool(verification.findings))


if __name__ == "__main__":
    cli.run(command)
