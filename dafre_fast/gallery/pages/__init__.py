"""The pages of the gallery, made from the templates, style and script beside this file.

Pages load nothing from other servers. They work without the script, which adds completion, endless
scrolling and keys.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.dataset.outputs import word_of
from dafre_fast.gallery.view import (
    REFUSED,
    Choice,
    Details,
    Page,
    Place,
    View,
    address,
    pairs_of,
)

STATIC = {
    "style.css": "text/css",
    "gallery.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Files that pages load, and their media types."""


@cache
def static(name: str) -> bytes:
    """Return the content of a file of `STATIC`."""
    return (files("dafre_fast.gallery.pages") / "static" / name).read_bytes()


class Pages:
    """The pages of the dataset called `title`, with these outputs, as HTML text. All links begin
    with `home`, the path of the first page.
    """

    def __init__(self, title: str, outputs: Sequence[Output], home: str) -> None:
        self._outputs = [_described(output) for output in outputs]
        self._environment = Environment(
            loader=PackageLoader("dafre_fast.gallery.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            title=title,
            home=home,
            outputs=self._outputs,
            address=address,
            pairs_of=pairs_of,
            tag_kinds=list(TAG_KINDS),
            success=SUCCESS,
            refused=REFUSED,
        )
        self._environment.filters["number"] = "{:,}".format
        self._environment.filters["text"] = _text

    def grid(
        self, view: View, page: Page, splits: Sequence[Choice], statuses: Sequence[Choice]
    ) -> str:
        """Return a page of a view, with the filters to change it."""
        return self._render("grid.html", view=view, page=page, splits=splits, statuses=statuses)

    def image(self, view: View, details: Details, place: Place) -> str:
        """Return the page of one image, with links to its neighbours in a view."""
        sizes = details.tile.sizes
        shown = [(one, *sizes[one.name]) for one in self._outputs if sizes[one.name][0]]
        return self._render(
            "image.html", view=view, details=details, place=place, box=_box(details), shown=shown
        )

    def choose(self, view: View, text: str, choices: Sequence[Choice]) -> str:
        """Return the page of the matches of a search."""
        return self._render("choose.html", view=view, text=text, choices=choices)

    def completion(self, view: View, choices: Sequence[Choice]) -> str:
        """Return the matches as list items, for completion by the script."""
        return self._render("completion.html", view=view, choices=choices)

    def error(self, status: int, phrase: str, reason: str) -> str:
        """Return the page of an error: HTTP status, its phrase, and the reason."""
        return self._render("error.html", view=View(), status=status, phrase=phrase, reason=reason)

    def _render(self, name: str, **values: object) -> str:
        return self._environment.get_template(name).render(values)


class _Described(NamedTuple):
    """The words for an output on pages."""

    name: str
    word: str
    """Its word in the address of a grid."""
    button: str
    several: str
    of_class: str
    """The text before the class of a picture."""
    caption: str
    origin: str
    """The text before the image that it was made from."""
    part: str

    @property
    def is_full(self) -> bool:
        return self.name == FULL_IMAGE.name


_DESCRIBED = {
    FULL_IMAGE.name: ("Full images", "images", "", "", "", "Full image"),
    HEAD_CROP.name: ("Heads", "heads", "Head of ", "Head", "Head crop of", "Head crop"),
}


def _described(output: Output) -> _Described:
    name, title = output.name, output.name.capitalize()
    others = (f"{title}s", f"{name}s", f"{title} of ", title, f"{title} of", title)
    return _Described(name, word_of(output), *_DESCRIBED.get(name, others))


def _text(value: object) -> str:
    """Return a value of the manifest as text; floats with four digits, None as ''."""
    if isinstance(value, float):
        return str(round(value, 4))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _box(details: Details) -> tuple[float, float, float, float] | None:
    """Return left, top, width and height of the head box, or None if there is no head crop.

    All are shares (0 to 1) of the full image; parts of the box outside it are cut off.
    """
    edges = [details.row[name] for name in ("left", "top", "right", "bottom")]
    if not details.tile.sizes.get(HEAD_CROP.name, (0, 0))[0] or None in edges:
        return None
    left, top, right, bottom = (min(max(float(edge), 0.0), 1.0) for edge in edges)
    return left, top, right - left, bottom - top
