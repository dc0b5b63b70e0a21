"""What is counted of a table of images and their tags, and what is drawn of it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.summaries import Problem


class Level(StrEnum):
    """What is counted: tags as they are, or the words in them (between blanks and underscores)."""

    TAGS = "tags"
    WORDS = "words"

    @property
    def one(self) -> str:
        return self.value.removesuffix("s")


class Spread(Struct, frozen=True):
    """Mean, median and sample standard deviation; None where there are too few values for it."""

    mean: float | None
    median: float | None
    std: float | None


class Used(Struct, frozen=True):
    """A tag or word, and how often it is used."""

    name: str
    uses: int


class Vocabulary(Struct, frozen=True):
    """The tags or words of one category. Of `images` the file tells them (there may be none of an
    image); `per_use` is the spread of uses per tag, `per_image` that of tags per image. `top` has
    the most used ones, of equal uses in order of their text.
    """

    category: int
    level: Level
    images: int
    unique: int
    uses: int
    per_use: Spread
    per_image: Spread
    top: Sequence[Used]


class ClassSize(Struct, frozen=True):
    """A class and its images."""

    class_id: int
    images: int


class Classes(Struct, frozen=True):
    """How `images` that have a class are spread over the classes; `top` has the largest, of equal
    size in order of their ids.
    """

    images: int
    classes: int
    per_class: Spread
    largest: int
    smallest: int
    top: Sequence[ClassSize]


class Statistics(Struct, frozen=True, kw_only=True):
    """All that is told of a table. What it does not know is None, or not among the keys.

    Sizes are in pixels; `extensions` go from the most frequent to the rarest and sum up to
    `images`.
    """

    title: str
    images: int
    extensions: Mapping[str, int] | None = None
    width: Spread | None = None
    height: Spread | None = None
    vocabularies: Sequence[Vocabulary] = ()
    classes: Classes | None = None
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None
    """Path of the list of all bad rows, where there are any."""
    drawn: Sequence[str] = ()
    """Names of the plots."""
    not_drawn: Mapping[str, str] = {}
    """Why, by the name of the plot."""
