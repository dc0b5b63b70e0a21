"""The pages of the gallery, made from the templates, style and script beside this file.

Pages load nothing from other servers. They work without the script, which adds completion, endless
scrolling and keys.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from dafre_fast.core.addresses import public, scrubbed
from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.reasons import SUCCESS, Reason
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.dataset.outputs import word_of
from dafre_fast.gallery.beside import SHOWN
from dafre_fast.gallery.language import Term, named
from dafre_fast.gallery.marks import Act, Marks
from dafre_fast.gallery.matching import Wrong
from dafre_fast.gallery.view import (
    REFUSED,
    UNSURE,
    Beside,
    Choice,
    Details,
    Judged,
    Listed,
    Listing,
    Near,
    Next,
    Page,
    Place,
    Tile,
    View,
    address,
    pairs_of,
)

if TYPE_CHECKING:
    from dafre_fast.gallery.agreement import Agreement
    from dafre_fast.learning.naming import Seen

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
    with `home`, the path of the first page. Images may be ordered by `columns`, and `uploads` says
    whether pictures may be uploaded; images may be marked with `marks`.
    """

    def __init__(
        self,
        title: str,
        outputs: Sequence[Output],
        home: str,
        columns: Sequence[str] = (),
        *,
        uploads: bool = False,
        marks: Marks | None = None,
    ) -> None:
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
            kinds=["class", *TAG_KINDS],
            success=SUCCESS,
            refused=REFUSED,
            uploads=uploads,
            marks=marks,
            columns=columns,
            named=named,
            unsure=Term("probability", str(UNSURE), "<"),
            reason_of=_reason,
        )
        self._environment.filters["number"] = "{:,}".format
        self._environment.filters["text"] = _text
        self._environment.filters["percent"] = "{:.1%}".format

    def grid(
        self,
        view: View,
        page: Page,
        splits: Sequence[Choice],
        statuses: Sequence[Choice],
        judged: Judged | None,
    ) -> str:
        """Return a page of a view, with the filters to change it."""
        filters = {"splits": splits, "statuses": statuses, "judged": judged}
        return self._render("grid.html", view=view, page=page, **filters)

    def names(self, kind: str, asked: Listing, listed: Listed) -> str:
        """Return a page of the list of all names of a kind."""
        view = View()
        return self._render("names.html", view=view, kind=kind, asked=asked, listed=listed)

    def like(self, view: View, what: str, near: Sequence[Near]) -> str:
        """Return the page of images that look like `what`, the most similar first."""
        return self._render("like.html", view=view, what=what, near=near)

    def marked(self, counts: Mapping[str, int], last: Act | None) -> str:
        """Return the page of all marks, with their images and what would be undone."""
        return self._render("marks.html", view=View(), counts=counts, last=last)

    def introduce(self, view: View) -> str:
        """Return the page that asks for the name of who reviews a view."""
        return self._render("review.html", view=view, person=None, now=None)

    def review(
        self,
        view: View,
        person: str,
        now: Next,
        details: Details,
        examples: Sequence[Tile],
        *,
        may_rename: bool,
    ) -> str:
        """Return the page of the image that a person judges next, with others of its class."""
        values = {"details": details, "examples": examples, "may_rename": may_rename}
        sizes = details.tile.sizes
        shown = [(one, *sizes[one.name]) for one in self._outputs if sizes[one.name][0]]
        return self._render("review.html", view=view, person=person, now=now, shown=shown, **values)

    def reviewed(
        self, view: View, person: str, now: Next, skipped: int, *, may_rename: bool
    ) -> str:
        """Return the page of a view of which a person has seen all images."""
        values = {"skipped": skipped, "may_rename": may_rename}
        return self._render("review.html", view=view, person=person, now=now, **values)

    def agreement(self, found: "Agreement", counts: Mapping[str, int]) -> str:
        """Return the page of how far people agree, and what they say together."""
        return self._render("agreement.html", view=View(), found=found, counts=counts)

    def upload(self) -> str:
        """Return the page with the form to upload a picture."""
        return self._render("upload.html", view=View(), file=None, heads=())

    def named(
        self, view: View, name: str, seen: "Sequence[Seen]", near: Sequence[Sequence[Near]]
    ) -> str:
        """Return the page of a picture that was uploaded under a name: for each head the likeliest
        classes, and the images that look like it.
        """
        names = [[(likely.name, likely.probability) for likely in one.names] for one in seen]
        heads = [*zip(names, near, strict=True)]
        return self._render("upload.html", view=view, file=name, heads=heads)

    def image(self, view: View, details: Details, place: Place, beside: Beside) -> str:
        """Return the page of one image, with links to its neighbours in a view."""
        original = Path(beside.original or "")
        sizes = details.tile.sizes
        shown = [(one, *sizes[one.name]) for one in self._outputs if sizes[one.name][0]]
        return self._render(
            "image.html",
            view=view,
            details=details,
            place=place,
            beside=beside,
            shown=shown,
            shows_original=original.suffix[1:].lower() in SHOWN,
            source=_source(details.row.get("url")),
        )

    def wrong(self, view: View, wrong: Sequence[Wrong]) -> str:
        """Return the page of terms that nothing fits, each with those nearest to it."""
        return self._render("wrong.html", view=view, wrong=wrong)

    def completion(self, choices: Sequence[tuple[Choice, View]]) -> str:
        """Return names and their views as list items, for completion by the script."""
        return self._render("completion.html", choices=choices)

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
    extension: str = "jpg"

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
    words = _DESCRIBED.get(name, others)
    return _Described(name, word_of(output), *words, extension=output.extension)


def _source(url: object) -> str | None:
    """Return the address of an original as a page may show it; None if it is none of the web."""
    address = public(str(url))
    return address if address.startswith(("http://", "https://")) else None


def _reason(status: str) -> Reason | None:
    """Return the reason of a refusal; None if its status is not a known one."""
    return Reason(status) if status in {*Reason} else None


def _text(value: object) -> str:
    """Return a value of the manifest as text; floats with four digits, None as ''."""
    if isinstance(value, float):
        return str(round(value, 4))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else scrubbed(str(value))
