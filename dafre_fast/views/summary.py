"""Print the summary of a run, on standard output: columns for people, or JSON.

Plain text by hand: a library for tables takes longer to import than `labels` may take to print.
"""

from collections.abc import Iterable, Iterator

from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.summaries import (
    FILLED,
    Downloads,
    HasBadRows,
    HeadsSummary,
    Problem,
    Summary,
    TagsSummary,
    TagStep,
    Work,
)
from dafre_fast.views import show as shown


def show(summary: Summary | TagsSummary, *, as_json: bool) -> None:
    """Print a summary."""
    lines = lines_of_tags(summary) if isinstance(summary, TagsSummary) else lines_of(summary)
    shown.show(summary, lines, as_json=as_json)


def lines_of(summary: Summary) -> Iterator[str]:
    """Give the lines of a run's summary for people."""
    if summary.funnel:
        rows = [(step.name, step.images, step.classes) for step in summary.funnel]
        yield from columns(("after", "images", "classes"), rows)
    if summary.heads:
        yield from lines_of_search(summary.heads)
    if summary.tags:
        yield from lines_of_tags(summary.tags)
    yield from lines_of_bad_rows(summary)
    if summary.work is None:
        return
    if summary.refused:
        often_first = sorted(summary.refused.items(), key=lambda item: -item[1])
        yield from columns(("refused", "images"), often_first)
    refused = sum(summary.refused.values())
    yield f"{summary.images:,} images = {summary.success:,} success + {refused:,} refused"
    yield from lines_of_work(summary.work)


def lines_of_search(summary: HeadsSummary) -> Iterator[str]:
    """Give the lines about the originals that were searched for heads, but for the funnel."""
    yield from lines_of_bad_rows(summary)
    if summary.refused:
        yield from columns(("originals refused", "images"), [*summary.refused.items()])
    refused = sum(summary.refused.values())
    yield (
        f"{summary.images:,} originals = {summary.single:,} with one head + {summary.none:,} with"
        f" none + {summary.several:,} with several + {refused:,} refused"
    )
    yield from lines_of_work(summary.work)


def lines_of_work(work: Work) -> Iterator[str]:
    """Give the lines about the work of a run: what it left alone, its speed, its downloads."""
    if work.refused_before:
        were = "was" if work.refused_before == 1 else "were"
        yield (
            f"{work.refused_before:,} of them {were} refused by earlier runs and not tried"
            " again; --retry-failed tries them"
        )
    yield _work(work)
    if work.downloads:
        yield from _downloads(work.downloads, work.seconds)


def lines_of_tags(summary: TagsSummary) -> Iterator[str]:
    """Give the lines of the tags' summary for people; each category has the number of different
    tags, and of their uses.
    """
    head = ["after", "images"]
    for category in summary.steps[0].categories:
        head += [CATEGORY_NAMES[category], "uses"]
    yield from columns(tuple(head), map(_row, summary.steps))
    if summary.steps[-1].name == FILLED:
        yield f"{FILLED}: an image without tags of a category has the tag `unlabeled` there"
    yield from lines_of_bad_rows(summary)
    if summary.untagged:
        yield from columns(("untagged", "images"), [*summary.untagged.items()])
    untagged = sum(summary.untagged.values())
    yield f"{summary.images:,} images = {summary.tagged:,} tagged + {untagged:,} untagged"


def _row(step: TagStep) -> tuple[str, *tuple[int, ...]]:
    numbers = [step.images]
    for one in step.categories.values():
        numbers += [one.unique, one.uses]
    return step.name, *numbers


def lines_of_bad_rows(summary: HasBadRows) -> Iterator[str]:
    """Say how many rows were set aside, why, in which lines, and where all are listed."""
    yield from map(_problem, summary.bad_rows)
    if summary.bad_rows_list:
        yield f"all rows set aside: {summary.bad_rows_list}"


def _problem(problem: Problem) -> str:
    lines = ", ".join(map(str, problem.lines))
    more = ", …" if problem.rows > len(problem.lines) else ""
    rows = f"{problem.rows:,} row{'s' * (problem.rows > 1)}"
    if problem.problem == RowProblem.NO_CATEGORIES:
        return f"{problem.table}: {rows} kept: {problem.problem} (line {lines}{more})"
    of_tag = problem.problem in {RowProblem.UNKNOWN_CATEGORY, RowProblem.UNNAMED_TAG}
    rows = f"a tag of {rows}" if of_tag else rows
    return f"{problem.table}: {rows} set aside: {problem.problem} (line {lines}{more})"


def _work(work: Work) -> str:
    if not work.images:
        return "nothing was left to do"
    return (
        f"{work.images:,} in this run: {work.seconds:,.1f} s,"
        f" {work.images / work.seconds:,.1f} images/s,"
        f" {work.images / work.cpu_seconds:,.1f} images per CPU-second"
    )


def _downloads(found: Downloads, seconds: float) -> Iterator[str]:
    yield (
        f"fetched: {found.originals:,} originals, {found.bytes / 1e6:,.1f} MB,"
        f" {found.bytes / 1e6 / seconds:,.1f} MB/s; {found.requests:,} requests,"
        f" {found.retries:,} of them retries"
    )
    shares = sorted(found.shares.items(), key=lambda item: -item[1])
    named = ((cause.replace("_", " "), share) for cause, share in shares)
    yield f"limited by: {', '.join(f'{cause} {share:.0%}' for cause, share in named)}"


def columns(head: tuple[str, ...], rows: Iterable[tuple[str, *tuple[int, ...]]]) -> Iterator[str]:
    """Give the lines of a table, with its names to the left and its numbers to the right."""
    table = [head, *((name, *(f"{number:,}" for number in numbers)) for name, *numbers in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for name, *numbers in table:
        cells = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        yield "  ".join([name.ljust(widths[0]), *cells])
