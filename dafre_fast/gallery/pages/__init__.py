"""The pages of the gallery: templates, style and script lie beside this file, and nothing comes
from elsewhere.

Everything works without the script. It adds completion, endless scrolling and keys.
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
"""Files that pages name, and their types."""


@cache
def static(name: str) -> bytes:
    """The content of a file of `STATIC`."""
    return (files("dafre_fast.gallery.pages") / "static" / name).read_bytes()


class Pages:
    """Pages of one dataset, called `title`, with these outputs: text of HTML."""

    def __init__(self, title: str, outputs: Sequence[Output]) -> None:
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
            outputs=self._outputs,
            address=address,
            pairs_of=pairs_of,
            tag_kinds=list(TAG_KINDS),
            success=SUCCESS,
            refused=REFUSED,
        )
        self._environment.filters["number"] = "{:,}".format
        self._environment.filters["told"] = _told

    def grid(
        self, view: View, page: Page, splits: Sequence[Choice], statuses: Sequence[Choice]
    ) -> str:
        """Many images, and all that chooses them."""
        return self._render("grid.html", view=view, page=page, splits=splits, statuses=statuses)

    def image(self, view: View, details: Details, place: Place) -> str:
        """One image, reached from a view."""
        sizes = details.tile.sizes
        shown = [(one, *sizes[one.name]) for one in self._outputs if sizes[one.name][0]]
        return self._render(
            "image.html", view=view, details=details, place=place, box=_box(details), shown=shown
        )

    def choose(self, view: View, text: str, choices: Sequence[Choice]) -> str:
        """What a text that was looked for may mean."""
        return self._render("choose.html", view=view, text=text, choices=choices)

    def completion(self, view: View, choices: Sequence[Choice]) -> str:
        """The same as items of a list, for the script."""
        return self._render("completion.html", view=view, choices=choices)

    def error(self, status: int, phrase: str, reason: str) -> str:
        """What went wrong."""
        return self._render("error.html", view=View(), status=status, phrase=phrase, reason=reason)

    def _render(self, name: str, **values: object) -> str:
        return self._environment.get_template(name).render(values)


class _Described(NamedTuple):
    """How pages speak of an output."""

    name: str
    word: str
    """In the address of a grid."""
    button: str
    several: str
    of_class: str
    """Before the name of the class of a picture."""
    caption: str
    origin: str
    """Before the image that it was made from."""
    part: str

    @property
    def is_full(self) -> bool:
        return self.name == FULL_IMAGE.name


_DESCRIBED = {
    FULL_IMAGE.name: ("Full images", "images", "", "", "", "The image"),
    HEAD_CROP.name: ("Heads", "heads", "Head of ", "Head", "Head cut from", "Its head"),
}


def _described(output: Output) -> _Described:
    name, title = output.name, output.name.capitalize()
    origin = f"{title} {'cut from' if output.needs_box else 'of'}"
    others = (f"{title}s", f"{name}s", f"{title} of ", title, origin, f"Its {name}")
    return _Described(name, word_of(output), *_DESCRIBED.get(name, others))


def _told(value: object) -> str:
    """A value of the manifest for people; nothing for none."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _box(details: Details) -> tuple[float, float, float, float] | None:
    """Left, top, width and height of the head box as shares of the picture, as far as it lies in
    it; None where no head was cut.
    """
    edges = [details.row[name] for name in ("left", "top", "right", "bottom")]
    if not details.tile.sizes[HEAD_CROP.name][0] or None in edges:
        return None
    left, top, right, bottom = (min(max(float(edge), 0.0), 1.0) for edge in edges)
    return left, top, right - left, bottom - top
