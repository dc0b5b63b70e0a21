"""Records of statistics: counts over a table of images and their tags, and the plots of them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.summaries import Problem


class Level(StrEnum):
    """Unit of a count: whole tags, or the words in them (separated by blanks and underscores)."""

    TAGS = "tags"
    WORDS = "words"

    @property
    def one(self) -> str:
        return self.value.removesuffix("s")


class Spread(Struct, frozen=True):
    """Mean, median and sample standard deviation; None if there are too few values."""

    mean: float | None
    median: float | None
    std: float | None


class Used(Struct, frozen=True):
    """A tag or word, and the number of its uses."""

    name: str
    uses: int


class Vocabulary(Struct, frozen=True):
    """The tags or words of one category. `images` is the number of images whose tags are known,
    even if they have none. `per_use` is the spread of uses per tag, `per_image` that of tags per
    image. `top` has the most used ones, those with as many uses in the order of their text.
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
    """A class and the number of its images."""

    class_id: int
    images: int


class Classes(Struct, frozen=True):
    """The spread of the `images` that have a class over the classes. `top` has the largest classes,
    those of the same size in the order of their ids.
    """

    images: int
    classes: int
    per_class: Spread
    largest: int
    smallest: int
    top: Sequence[ClassSize]


class Statistics(Struct, frozen=True, kw_only=True):
    """All statistics of a table. What is unknown is None, or missing among the keys.

    Sizes are in pixels. `extensions` are in order of frequency, and sum up to `images`.
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
    """Path of the list of all bad rows, None if there are none."""
    drawn: Sequence[str] = ()
    """Names of the plots that were drawn."""
    not_drawn: Mapping[str, str] = {}
    """Reasons of plots that were not drawn, by name."""
