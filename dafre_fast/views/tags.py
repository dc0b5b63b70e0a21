"""The summary of `tags`: columns for people, JSON for machines. On standard output."""

from collections.abc import Iterator

import msgspec

from dafre_fast.model.summary import TagsSummary, TagStep
from dafre_fast.views.summary import columns, lines_of_bad_rows


def show(summary: TagsSummary, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
    else:
        print("\n".join(_lines(summary)))


def _lines(summary: TagsSummary) -> Iterator[str]:
    head = ["after", "images"]
    for category in summary.steps[0].categories:
        head += [f"tags of {category}", "uses"]
    yield from columns(tuple(head), map(_row, summary.steps))
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
