"""The command line of `train`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.learning.settings import Computing
from dafre_fast.train.settings import Figures, TrainRun


@cli.command("train", TrainRun, Figures, Computing, Printing)
def command(run: TrainRun, figures: Figures, computing: Computing, printing: Printing) -> int:
    from dafre_fast.learning.needed import check_installed

    check_installed()
    from dafre_fast.train.group import process_group
    from dafre_fast.train.run import train
    from dafre_fast.train.show import show
    from dafre_fast.views.terminal import terminal

    with process_group(computing) as group:
        if not group.is_first:  # the first process alone speaks and writes
            train(run, figures, group)
            return 0
        with terminal() as tell:
            trained = train(run, figures, group, tell)
    show(trained, as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
