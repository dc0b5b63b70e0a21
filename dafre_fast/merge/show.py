"""Print what was merged as the command does whose parts they were, and write the report."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name

from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.summaries import HeadsSummary, Summary
from dafre_fast.merge.run import Merged

Show = Callable[[Summary | HeadsSummary, Path, Reporting, bool, str | None], int]
"""Prints the summary of the dataset in a folder, writes the report if that is asked for (the fourth
argument), and returns the exit status. The last is where the dataset stays, if not in the folder.
"""
SHOWING = {"full": "dafre_fast.full.show:show", "heads": "dafre_fast.merge.show:show_heads"}
"""The `Show` of commands that have their own, as `module:name`."""


def show(merged: Merged, output: Path, reporting: Reporting, name: str | None) -> int:
    """Print the summary, and return the exit status of a run of the whole. `name` is where the
    dataset stays, if not in the folder `output`.
    """
    own: Show = resolve_name(SHOWING.get(merged.plan.command, "dafre_fast.merge.show:show_images"))
    facts = merged.plan.facts
    status = own(merged.summary, output, reporting, bool(facts.get("report")), name)
    if facts.get("tables", ".") != "." and not reporting.json:
        print(f"{output}: the heads of all are found; run all parts again, then merge")
    return status


def show_images(
    summary: Summary, _: Path, reporting: Reporting, _report: bool, _name: str | None
) -> int:
    """Print a summary of images or originals."""
    from dafre_fast import cli

    return cli.report(summary, reporting)


def show_heads(
    summary: HeadsSummary, _: Path, reporting: Reporting, _report: bool, _name: str | None
) -> int:
    """Print a summary of heads."""
    status: int = resolve_name("dafre_fast.heads.show:show_whole")(summary, reporting)
    return status
