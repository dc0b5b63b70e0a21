"""Print the statistics of a table as text or JSON."""

from collections import defaultdict
from collections.abc import Iterator

from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.stats.records import Spread, Statistics, Vocabulary
from dafre_fast.views import show as shown
from dafre_fast.views.figures import printable
from dafre_fast.views.summary import columns, lines_of_bad_rows

_ON_SCREEN = 10


def show(statistics: Statistics, *, as_json: bool) -> None:
    """Print all statistics as JSON, or as text with the first ten entries of each ranking."""
    shown.show(statistics, lines(statistics, _ON_SCREEN), as_json=as_json)


def lines(found: Statistics, top: int | None = None) -> Iterator[str]:
    """Yield the lines of the text, with the first `top` entries of each ranking, or all of them."""
    yield f"{found.title}: {found.images:,} images"
    if found.extensions is not None:
        yield from columns(("extension", "images"), found.extensions.items())
    if found.width and found.height:
        yield ""
        yield f"width in pixels:  {_spread(found.width)}"
        yield f"height in pixels: {_spread(found.height)}"
    for vocabulary in found.vocabularies:
        yield ""
        yield from _vocabulary(vocabulary, top)
    if classes := found.classes:
        yield ""
        yield f"{classes.images:,} images of {classes.classes:,} classes"
        yield f"images per class: {_spread(classes.per_class)}"
        yield f"largest {classes.largest:,}, smallest {classes.smallest:,}"
        ranking = ((str(one.class_id), one.images) for one in classes.top[:top])
        yield from columns(("class", "images"), ranking)
    yield from _about_files(found)


def _about_files(found: Statistics) -> Iterator[str]:
    if found.bad_rows or found.not_drawn:
        yield ""
    yield from lines_of_bad_rows(found)
    if found.not_drawn:
        by_reason = defaultdict[str, list[str]](list)
        for name, why in found.not_drawn.items():
            by_reason[why].append(name)
        reasons = (f"{', '.join(names)} ({why})" for why, names in by_reason.items())
        yield f"not drawn: {'; '.join(reasons)}"


def _vocabulary(found: Vocabulary, top: int | None) -> Iterator[str]:
    kind, category = found.level.value, CATEGORY_NAMES[found.category]
    yield (
        f"category {found.category} ({category}), {kind}:"
        f" {found.unique:,} unique, {found.uses:,} in {found.images:,} images"
    )
    yield f"uses per {found.level.one}:   {_spread(found.per_use)}"
    yield f"{kind} per image: {_spread(found.per_image)}"
    # Numbers come first: names may have letters that are two columns wide.
    widest = max((len(f"{one.uses:,}") for one in found.top), default=0)
    for one in found.top[:top]:
        yield f"{one.uses:{widest},}  {printable(one.name)}"


def _spread(found: Spread) -> str:
    numbers = ("mean", found.mean), ("median", found.median), ("standard deviation", found.std)
    return ", ".join(f"{name} {_number(number)}" for name, number in numbers)


def _number(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.2f}"
