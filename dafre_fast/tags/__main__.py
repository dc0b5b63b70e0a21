"""The command line of `tags`: flags in, exit status out."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.tags.settings import TagsRun


@cli.command("tags", TagsRun, TagSteps, Printing)
def command(run: TagsRun, steps: TagSteps, printing: Printing) -> int:
    from dafre_fast.tags.run import tags
    from dafre_fast.views.summary import show
    from dafre_fast.views.terminal import terminal

    with terminal() as tell:
        summary = tags(run, steps, tell)
    show(summary, as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
