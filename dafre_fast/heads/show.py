"""Print the result of `heads`: a table for people, or JSON."""

from collections.abc import Iterator

from dafre_fast import cli
from dafre_fast.core.settings.running import Reporting
from dafre_fast.core.summaries import HeadsSummary, Judged
from dafre_fast.views import show as shown
from dafre_fast.views.summary import columns, lines_of_search


def show(summary: HeadsSummary, *, as_json: bool) -> None:
    """Print it."""
    shown.show(summary, _lines(summary), as_json=as_json)


def show_whole(summary: HeadsSummary, reporting: Reporting) -> int:
    """Print the summary of a run, and return its exit status. A part may have no images."""
    show(summary, as_json=reporting.json)
    refused = sum(summary.refused.values())
    none = summary.images > 0 and refused == summary.images
    return 1 if none else cli.judge(refused, reporting)


def _lines(summary: HeadsSummary) -> Iterator[str]:
    rows = [(step.name, step.images, step.classes) for step in summary.funnel]
    yield from columns(("after", "images", "classes"), rows)
    yield from lines_of_search(summary)
    if summary.judged:
        yield "threshold    found  recall  precision  overlap  right number of heads"
        yield from map(_quality, summary.judged)


def _quality(judged: Judged) -> str:
    return (
        f"{judged.threshold:9.2f}  {judged.found:7,}  {judged.recall:6.1%}  {judged.precision:9.1%}"
        f"  {judged.overlap:7.3f}  {judged.counted:21.1%}"
    )
