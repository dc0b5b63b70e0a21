"""`python -m dafre_fast.tags`: write tables of clean tags from Danbooru's metadata."""

from dafre_fast import cli
from dafre_fast.core.settings.running import Printing
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.tags.settings import TagsRun


@cli.command("tags", TagsRun, TagSteps, Printing)
def command(run: TagsRun, steps: TagSteps, printing: Printing) -> int:
    """Clean the tags in Danbooru's metadata and write those of the labelled images."""
    from dafre_fast.tags.run import tags
    from dafre_fast.views.summary import show

    show(tags(run, steps), as_json=printing.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
