"""Views of the gallery, and the conversion of views to addresses (URLs) and back."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta, Struct

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.errors import UsageError

REFUSED = "refused"
"""The filter value for every status but success."""
_MOST_PARAMETERS = 100

Name = Annotated[str, Meta(min_length=1, max_length=500)]
Tags = tuple[Name, ...]
Pixels = Annotated[int, Meta(ge=1, le=1_000_000)] | None
Probability = Annotated[float, Meta(gt=0, le=1)]


class View(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A choice of images: filters, tree, order, and the number of the page.

    Images must pass all filters and have all of the tags. `original_min` to `head_max` bound the
    shorter side in pixels, of the original and of the head crop before resizing. `answer` and
    `below` ask for answers of a model, and for those with a lower probability. `seed` is that of
    the random order. Pages count from 1.
    """

    show: Name = "full"
    """The word of an output (`dataset.outputs.word_of`)."""
    split: Name | None = None
    status: Name | None = None
    klass: Name | None = msgspec.field(default=None, name="class")
    general: Tags = ()
    series: Tags = ()
    character: Tags = ()
    original_min: Pixels = None
    original_max: Pixels = None
    head_min: Pixels = None
    head_max: Pixels = None
    answer: Literal["right", "wrong"] | None = None
    below: Probability | None = None
    order: Literal["manifest", "id", "random"] = "manifest"
    seed: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    page: Annotated[int, Meta(ge=1, le=10**9)] = 1

    @property
    def terms(self) -> list[tuple[str, str]]:
        """All filters but those by size, as pairs of kind (name of a parameter) and name."""
        named = [("split", self.split), ("status", self.status), ("class", self.klass)]
        tags = [(kind, tag) for kind in TAG_KINDS for tag in getattr(self, kind)]
        return [(kind, name) for kind, name in named if name] + tags

    def but(self, **changes: object) -> "View":
        """Return a copy with these changes, at page 1 unless they include a page."""
        return msgspec.structs.replace(self, **{"page": 1} | changes)

    def added(self, kind: str, name: str) -> "View":
        """Return a copy with one more tag, or with another class, split or status."""
        if kind in TAG_KINDS:
            return self.but(**{kind: tuple(dict.fromkeys((*getattr(self, kind), name)))})
        return self.but(**{_attribute(kind): name})

    def alone(self, kind: str, name: str) -> "View":
        """Return a view of the same tree with this filter only."""
        return View(show=self.show).added(kind, name)

    def without(self, kind: str, name: str) -> "View":
        """Return a copy without this filter."""
        if kind in TAG_KINDS:
            return self.but(**{kind: tuple(tag for tag in getattr(self, kind) if tag != name)})
        return self.but(**{_attribute(kind): None})


def _attribute(kind: str) -> str:
    return "klass" if kind == "class" else kind


def pairs_of(view: View) -> list[tuple[str, str]]:
    """Return the parameters of a view's address: values other than the default, in fixed order."""
    fields = msgspec.to_builtins(view).items()
    return [
        (name, str(one))
        for name, value in fields
        for one in (value if isinstance(value, (list, tuple)) else [value])
    ]


def address(view: View) -> str:
    """Return the query of a view's address with its question mark, or '' for the default view."""
    query = urlencode(pairs_of(view))
    return f"?{query}" if query else ""


def split_query(query: str) -> list[tuple[str, str]]:
    """Return the decoded names and values of a raw query string.

    Raises UsageError if it is not UTF-8 or has more than 100 parameters.
    """
    try:
        return parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise UsageError("the address is not UTF-8") from None
    except ValueError:
        raise UsageError(f"the address has more than {_MOST_PARAMETERS} parameters") from None


def read_view(pairs: Iterable[tuple[str, str]]) -> View:
    """Return the view of the parameters of an address. Empty values are ignored, as from a form.

    Raises UsageError, naming the parameter, if one is unknown, repeated, or out of bounds.
    """
    values = defaultdict[str, list[str]](list)
    for name, value in pairs:
        if value:
            values[name].append(value)
    raw: dict[str, object] = {}
    for name, given in values.items():
        if name in TAG_KINDS:
            raw[name] = tuple(dict.fromkeys(given))
        elif len(given) > 1:
            raise UsageError(f"{name} is given {len(given)} times")
        else:
            raw[name] = given[0]
    try:
        view = msgspec.convert(raw, View, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = " ".join(str(error).split()).partition(" - at `$.")
        what = what.replace("Object contains unknown field", "there is no parameter")
        raise UsageError(f"{where.rstrip('`')}: {what}" if where else what) from error
    return view if view.order == "random" else msgspec.structs.replace(view, seed=None)


class Tile(Struct, frozen=True):
    """One image of a page.

    `sizes` are (width, height) in pixels by the name of the output, zeros if it was not made.
    """

    id: int
    klass: str
    split: str
    status: str
    sizes: Mapping[str, tuple[int, int]]
    answer: "Answer | None" = None


class Answer(Struct, frozen=True):
    """The answer of a model for an image: a class and its probability."""

    name: str
    probability: float
    right: bool


class Judged(Struct, frozen=True):
    """How many images of a view a model was asked about, and how many of its answers were right,
    wrong, and had a probability below `below`.
    """

    images: int
    right: int
    wrong: int
    unsure: int
    below: float


class Near(Struct, frozen=True):
    """An image that looks like another one, and the cosine of their embeddings."""

    tile: Tile
    cosine: float


class Page(Struct, frozen=True):
    """One page of a view. `images` and `pages` (at least 1) count the whole view."""

    tiles: Sequence[Tile]
    images: int
    pages: int


class Choice(Struct, frozen=True):
    """A class, split, status or tag, and the number of images of the view that have it."""

    kind: str
    name: str
    images: int


class Place(Struct, frozen=True):
    """The place of an image in a view of `images`.

    `number` counts from 0, `page` from 1; `before` and `after` are the ids of its neighbours. All
    are None if the image is not in the view.
    """

    images: int
    number: int | None = None
    page: int | None = None
    before: int | None = None
    after: int | None = None


class Details(Struct, frozen=True):
    """One image: its tile, its row of the manifest, and its tags by kind."""

    tile: Tile
    row: dict[str, Any]
    tags: dict[str, list[str]]
    likeliest: Sequence[tuple[str, float]] = ()
    """The likeliest classes by a model, and their probabilities."""
