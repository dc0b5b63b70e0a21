"""Views of the gallery, and the conversion of views to addresses (URLs) and back."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import Meta, Struct

from dafre_fast.core.categories import TAG_KINDS
from dafre_fast.core.errors import UsageError
from dafre_fast.gallery.language import Term, named, read, split_order, write

REFUSED = "refused"
"""The filter value for every status but success."""
ORDERS = ("mixed", "manifest", "id", "random")
"""Orders that are not those of a column: mixed classes, as in the manifest, by id, at random."""
UNSURE = 0.5
"""Answers of a model with a lower probability are unsure."""
_MOST_PARAMETERS = 100

T = TypeVar("T")
Name = Annotated[str, Meta(min_length=1, max_length=500)]
_SINGLE = ("class", "split", "status", "answer", "verdict")
"""Fields of which an image has one name, so that another one takes its place in a view."""
_BOUNDS = {
    "original_min": ("original", ">="),
    "original_max": ("original", "<="),
    "head_min": ("head", ">="),
    "head_max": ("head", "<="),
    "below": ("probability", "<"),
}
"""Parameters of forms that stand for a term of the question: its field and operator."""


class View(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A choice of images: the output shown, the question, the order, and the number of the page.

    The question `q` is a line of terms (`language`). An order that is a column of the manifest
    may begin with `-`. `seed` is that of the random order. Pages count from 1.
    """

    show: Name = "full"
    """The word of an output (`dataset.outputs.word_of`)."""
    q: str = ""
    order: Name = "mixed"
    seed: Annotated[int, Meta(ge=0, lt=2**32)] | None = None
    page: Annotated[int, Meta(ge=1, le=10**9)] = 1

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms of the question. Raises UsageError if it is too long."""
        return read(self.q)

    @property
    def line(self) -> str:
        """The question with its order, as people write it."""
        order = "" if self.order in ("mixed", "random") else f"order:{self.order}"
        return " ".join(part for part in (self.q, order) if part)

    def but(self, **changes: object) -> "View":
        """Return a copy with these changes, at page 1 unless they include a page."""
        return msgspec.structs.replace(self, **{"page": 1} | changes)

    def asking(self, terms: Iterable[Term]) -> "View":
        """Return a copy with these terms in place of its own."""
        return self.but(q=write(terms))

    def added(self, term: Term) -> "View":
        """Return a copy with one more term. One that excludes it goes, and so does another class,
        split, status or answer.
        """
        single = term.field in _SINGLE and not term.excluded
        rest = [
            one
            for one in self.terms
            if one not in (term, term.opposite)
            and not (single and one.field == term.field and not one.excluded)
        ]
        return self.asking([*rest, term])

    def alone(self, term: Term) -> "View":
        """Return a view of the same output with this term only."""
        return View(show=self.show).added(term)

    def without(self, *terms: Term) -> "View":
        """Return a copy without these terms."""
        return self.asking(one for one in self.terms if one not in terms)

    def without_fields(self, *fields: str) -> "View":
        """Return a copy without all terms of these fields."""
        return self.asking(one for one in self.terms if one.field not in fields)

    def replaced(self, term: Term, other: Term) -> "View":
        """Return a copy with another term in place of one."""
        return self.asking(other if one == term else one for one in self.terms)

    def value(self, field: str, operator: str = "=") -> str:
        """Return the value of the first term of a field with an operator, or ""."""
        fits = (one for one in self.terms if (one.field, one.operator) == (field, operator))
        return next((one.value for one in fits if not one.excluded), "")


_DEFAULT = View()


def pairs_of(view: View) -> list[tuple[str, str]]:
    """Return the parameters of a view's address: values other than the default, in fixed order."""
    fields = [(name, getattr(view, name)) for name in View.__struct_fields__]
    return [(name, str(value)) for name, value in fields if value != getattr(_DEFAULT, name)]


def address(view: View) -> str:
    """Return the query of a view's address with its question mark, or '' for the default view."""
    query = urlencode(pairs_of(view), safe=":()*")
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

    Forms send filters as parameters of their own (`split`, `general`, `head_min`): they become
    terms of the question. Raises UsageError, naming the parameter, if one is unknown, repeated, or
    out of bounds.
    """
    values, terms = defaultdict[str, list[str]](list), list[Term]()
    for name, value in pairs:
        if name in ("class", "split", "status", "answer", *TAG_KINDS) and value:
            terms.append(named(name, value))
        elif name in _BOUNDS and value:
            field, operator = _BOUNDS[name]
            terms.append(Term(field, value, operator))  # type: ignore[arg-type]
        elif value:
            values[name].append(value)
    for name, given in values.items():
        if len(given) > 1:
            raise UsageError(f"{name} is given {len(given)} times")
    view = _converted({name: given[0] for name, given in values.items()}, View)
    rest, order = split_order(view.terms)
    view = view.but(page=view.page, q=write(rest), order=order or view.order)
    for term in terms:
        view = view.added(term).but(page=view.page)
    return view if view.order == "random" else view.but(page=view.page, seed=None)


class Listing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of the list of all names of a kind: those that begin with a letter, if one is given,
    with the most images first or by name.
    """

    letter: Annotated[str, Meta(max_length=1)] = ""
    by: Literal["images", "name"] = "images"
    page: Annotated[int, Meta(ge=1, le=10**9)] = 1

    def but(self, **changes: object) -> "Listing":
        """Return a copy with these changes, at page 1 unless they include a page."""
        return msgspec.structs.replace(self, **{"page": 1} | changes)

    @property
    def address(self) -> str:
        """The query of its address with its question mark, or ''."""
        default = Listing()
        fields = [(name, getattr(self, name)) for name in self.__struct_fields__]
        query = urlencode([one for one in fields if one[1] != getattr(default, one[0])])
        return f"?{query}" if query else ""


def read_listing(pairs: Iterable[tuple[str, str]]) -> Listing:
    """Return the list of the parameters of an address. Raises UsageError for a bad parameter."""
    return _converted({name: value for name, value in pairs if value}, Listing)


def _converted(raw: Mapping[str, str], kind: type[T]) -> T:
    try:
        return msgspec.convert(raw, kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = " ".join(str(error).split()).partition(" - at `$.")
        what = what.replace("Object contains unknown field", "there is no parameter")
        raise UsageError(f"{where.rstrip('`')}: {what}" if where else what) from error


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
    box: tuple[float, float, float, float] | None = None
    """Left, top, width and height of the head, as shares of the full image."""


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
    """One page of a view. `images` and `pages` (at least 1) count the whole view; `tags` are the
    most frequent ones of the page.
    """

    tiles: Sequence[Tile]
    images: int
    pages: int
    tags: "Sequence[Choice]" = ()


class Choice(Struct, frozen=True):
    """A class, split, status or tag, the number of images of the view that have it, the term that
    asks for it, and in lists an image that has it.
    """

    kind: str
    name: str
    images: int
    term: Term
    example: Tile | None = None


class Listed(Struct, frozen=True):
    """A page of names of a kind, each with an example; `names` and `pages` (at least 1) count the
    whole list, and `letters` are the first letters of all names of the kind.
    """

    choices: Sequence[Choice]
    letters: Sequence[str]
    names: int
    pages: int


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


class Next(Struct, frozen=True):
    """The next image of a review, None after the last; how many images of the view have a picture,
    and how many of them were seen.
    """

    image: int | None
    images: int
    seen: int


class Beside(Struct, frozen=True):
    """The things shown beside the outputs of an image: the path of its original in the dataset,
    if it is there, its duplicates, and the verdicts of people.
    """

    original: str | None
    duplicates: Sequence[Tile]
    verdicts: Mapping[str, str] = {}


class Details(Struct, frozen=True):
    """One image: its tile, its row of the manifest, and its tags by kind."""

    tile: Tile
    row: dict[str, Any]
    tags: "dict[str, list[Choice]]"
    likeliest: Sequence[tuple[str, float]] = ()
    """The likeliest classes by a model, and their probabilities."""
