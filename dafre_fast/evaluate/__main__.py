"""The command line of `evaluate`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.evaluate.settings import EvaluateRun
from dafre_fast.learning.settings import Computing


@cli.command("evaluate", EvaluateRun, Computing, Reporting)
def command(run: EvaluateRun, computing: Computing, reporting: Reporting) -> int:
    from dafre_fast.learning.needed import check_installed

    check_installed()
    from dafre_fast.evaluate.run import evaluate
    from dafre_fast.evaluate.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        evaluated = evaluate(run, computing, tell)
    show(evaluated, as_json=reporting.json)
    return cli.judge(sum(evaluated.refused.values()), reporting)


if __name__ == "__main__":
    cli.run(command)
