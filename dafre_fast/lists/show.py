"""Print the result of `lists`: a table for people, or JSON."""

from collections.abc import Iterator

from dafre_fast.core.summaries import Listed, Lists
from dafre_fast.views import show as shown
from dafre_fast.views.summary import columns, lines_of, lines_of_bad_rows


def show(found: Lists, *, as_json: bool) -> None:
    """Print it."""
    shown.show(found, _lines(found), as_json=as_json)


def _lines(found: Lists) -> Iterator[str]:
    heads = (head for tree in found.splits[0].listed for head in (tree, "missing"))
    yield from columns(("split", "images", *heads), map(_row, found.splits))
    yield from lines_of_bad_rows(found)
    yield (
        f"{found.lines:,} lines = {found.listed:,} listed + {found.unwanted:,} of other images"
        f" + {found.elsewhere:,} in other trees + {found.set_aside:,} set aside"
    )
    for tree, summary in found.fetched.items():
        yield f"{tree}:"
        yield from lines_of(summary)


def _row(split: Listed) -> tuple[str, *tuple[int, ...]]:
    numbers = [split.images]
    for tree, there in split.listed.items():
        numbers += [there, split.missing[tree]]
    return (split.split, *numbers)
