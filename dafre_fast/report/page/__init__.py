"""Render the page of a report: HTML without scripts, and one style sheet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.core.layout import AUDIT, EXCLUDE
from dafre_fast.core.reasons import Reason
from dafre_fast.core.summaries import Step
from dafre_fast.dataset.provenance import is_of_danbooru, words_of
from dafre_fast.report.links import Links
from dafre_fast.report.page import figures
from dafre_fast.report.records import Page, SearchPage, Share, Written
from dafre_fast.views import show as shown
from dafre_fast.views.figures import PARTS, kept, shortened

INDEX, STYLE = "index.html", "style.css"
_HERE = Path(__file__).parent
_LONGEST_NAME, _LONGEST_DETAIL = 80, 400
_BARS = 20
_PARTS_OF_CLASSES = (0.01, 0.05, 0.1, 0.25, 0.5)
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


class Level(NamedTuple):
    """A step of the funnel as drawn: its share of the largest step, and the next step's."""

    step: Step
    part: bool
    images: tuple[float, float]
    classes: tuple[float, float]
    kept: float | None


class Held(NamedTuple):
    """The number of images in the largest classes, which are a `part` of all classes."""

    part: str
    classes: int
    images: int


def render(page: Page, version: str) -> Mapping[str, str]:
    """Return the text of each file by its name; all values are escaped, whatever they hold."""
    return _rendered(
        "page.html.jinja",
        page,
        version,
        overview=page.overview,
        refused_shares=[Share(one.reason, one.images) for one in page.overview.refused],
        funnel=[*_levels(_steps(page))],
        largest=[*_held(page.overview.class_sizes)],
        categories=CATEGORY_NAMES,
        bars=_BARS,
        exclude=f"{AUDIT}/{EXCLUDE}",
        reason_of=lambda status: Reason(status) if status in {*Reason} else None,
        danbooru=page.choice is not None and is_of_danbooru(page.choice.source),
    )


def render_search(page: SearchPage, version: str) -> Mapping[str, str]:
    """Return the same for a search for heads of which no dataset is made yet."""
    return _rendered("search.html.jinja", page, version)


def _rendered(
    template: str, page: Page | SearchPage, version: str, **more: object
) -> Mapping[str, str]:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    text = environment.get_template(template).render(
        page=page,
        found_funnel=[*_levels(page.found.funnel)] if page.found else [],
        figures=figures,
        links=Links(page.gallery),
        version=version,
        **more,
    )
    return {INDEX: text, STYLE: (_HERE / STYLE).read_text(encoding="utf-8")}


def is_report(index: bytes) -> bool:
    """Return True if an index.html is that of a report, of whatever version."""
    return b"<code>python -m dafre_fast.report</code>" in index


def show(written: Written, *, as_json: bool) -> None:
    """Print the result of `report`, as text or as JSON."""
    shown.show(written, lines_of(written), as_json=as_json)


def lines_of(written: Written) -> Iterator[str]:
    """Yield the lines that `show` prints as text."""
    yield f"open {written.index} ({written.files:,} files, {size(written.bytes)})"
    for section, why in written.left_out.items():
        yield f"left out: {section} ({why})"
    for path in written.unread:
        yield f"could not be read: {path}"


def _steps(page: Page) -> Sequence[Step]:
    if page.funnel is None:
        return []
    overview = page.overview
    return [*page.funnel.steps, Step("made", overview.made, overview.made_classes)]


def _levels(steps: Sequence[Step]) -> Iterator[Level]:
    names = [step.name for step in steps]
    images = [step.images for step in steps]
    classes = [step.classes for step in steps]
    shares = kept(names, images)
    for place, step in enumerate(steps):
        part = step.name in PARTS
        following = place + 1 if place + 1 < len(steps) and not part else place
        if names[following] in PARTS:
            following = place
        widths = [
            (numbers[place] / max(*numbers, 1), numbers[following] / max(*numbers, 1))
            for numbers in (images, classes)
        ]
        yield Level(step, part, widths[0], widths[1], shares[place])


def _held(sizes: Sequence[int]) -> Iterator[Held]:
    for share in _PARTS_OF_CLASSES:
        classes = ceil(len(sizes) * share)
        yield Held(f"{share:.0%}", classes, sum(sizes[:classes]))


def size(number: float) -> str:
    """Format bytes in decimal units, for example `12.3 MB`."""
    unit = 0
    while number >= 1000 and unit + 1 < len(_UNITS):
        number, unit = number / 1000, unit + 1
    return f"{number:,.0f} bytes" if unit == 0 else f"{significant(number)} {_UNITS[unit]}"


def share(part: float) -> str:
    """Format a share with two decimals; a positive share never reads as zero."""
    return "<0.01%" if 0 < part < 0.00005 else f"{part:.2%}"


def time(seconds: float) -> str:
    """Format seconds, for example `7.66 hours`."""
    size, unit = figures.of_time(seconds)
    return f"{significant(seconds / size)} {unit}"


def significant(number: float) -> str:
    """Format with three significant digits, or all digits before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _ems(number: str) -> float:
    """Return about how wide a number is in bold, in units of its font's size."""
    return sum({",": 0.35, ".": 0.35, "%": 1.0}.get(letter, 0.7) for letter in number)


_FILTERS: Mapping[str, Callable[..., str | float]] = {
    "number": "{:,.0f}".format,
    "significant": significant,
    "origin": words_of,
    "percent": "{:.1%}".format,
    "share": share,
    "unit": "{:.4f}".format,
    "score": "{:.2f}".format,
    "ems": _ems,
    "size": size,
    "time": time,
    "name": partial(shortened, width=_LONGEST_NAME),
    "detail": partial(shortened, width=_LONGEST_DETAIL),
    "words": lambda text: text.replace("_", " "),
}
