"""Records of the statistics of a table of images and their tags."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.summaries import Problem


class Level(StrEnum):
    """The unit that is counted: whole tags, or the words in them.

    Words are separated by spaces and underscores.
    """

    TAGS = "tags"
    WORDS = "words"

    @property
    def one(self) -> str:
        """Is the singular: `tag` or `word`."""
        return self.value.removesuffix("s")


class Spread(Struct, frozen=True):
    """Mean, median and sample standard deviation; None for one that needs more values."""

    mean: float | None
    median: float | None
    std: float | None


class Used(Struct, frozen=True):
    """A tag or word, and its number of uses."""

    name: str
    uses: int


class Vocabulary(Struct, frozen=True):
    """The tags or words of one category.

    `images` counts the images whose tags the file lists, even if the list is empty. `unique` is the
    number of different tags and `uses` that of all uses. `per_use` is the spread of uses per tag,
    `per_image` that of tags per image. `top` has the most used tags, ties in order of their text.
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
    """A class and its number of images."""

    class_id: int
    images: int


class Classes(Struct, frozen=True):
    """The distribution of the `images` that have a class.

    `classes` is the number of classes, `per_class` the spread of their sizes in images. `top` has
    the largest classes, ties in order of their ids.
    """

    images: int
    classes: int
    per_class: Spread
    largest: int
    smallest: int
    top: Sequence[ClassSize]


class Statistics(Struct, frozen=True, kw_only=True):
    """The statistics of a table, as in `stats.json`.

    A value that the table does not hold is None or missing. `width` and `height` are in pixels;
    `extensions` map each extension to its images, most frequent first, and add up to `images`.
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
    """Names of the plot files."""
    not_drawn: Mapping[str, str] = {}
    """The reason for each plot that was not drawn, by the name of the plot."""
