"""`python -m dafre_fast.stats`: what is in a table of images and their tags, counted and drawn."""

from dafre_fast import cli
from dafre_fast.model.settings import StatsRun


@cli.command("stats", StatsRun)
def command(run: StatsRun) -> int:
    """Count formats, sizes, tags, words and classes; write text, JSON, Parquet and plots."""
    from dafre_fast.engine.stats import stats
    from dafre_fast.views.statistics import show

    show(stats(run), as_json=run.json)
    return 0


if __name__ == "__main__":
    cli.run(command)
