"""The command line of `predict`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.detecting import Detecting
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Bounds
from dafre_fast.core.settings.running import Reporting
from dafre_fast.learning.settings import Computing
from dafre_fast.predict.settings import PredictRun


@cli.command(
    "predict", PredictRun, Detecting, Fetching, Bounds, Computing, Reporting, words="pictures"
)
def command(
    run: PredictRun,
    detecting: Detecting,
    fetching: Fetching,
    bounds: Bounds,
    computing: Computing,
    reporting: Reporting,
) -> int:
    from dafre_fast.learning.needed import check_installed

    check_installed()
    from dafre_fast.predict.run import predict
    from dafre_fast.predict.show import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        predicted = predict(run, detecting, fetching, bounds, computing, tell)
    show(predicted, as_json=reporting.json)
    refused = len(predicted.refused)
    return 1 if refused and refused == predicted.pictures else cli.judge(refused, reporting)


if __name__ == "__main__":
    cli.run(command)
