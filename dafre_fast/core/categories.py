"""Danbooru's categories of tags: numbers, names, and the columns that hold them."""

from collections.abc import Mapping
from typing import NamedTuple


class Category(NamedTuple):
    """One category whose tags are kept."""

    number: int
    """Danbooru's number of it."""
    name: str
    """Danbooru's name of it, as in the metadata's field `tag_string_general`."""
    shown: str
    """The name that people read, and that a gallery's address has as a parameter."""


KEPT = (
    Category(0, "general", "general"),
    Category(3, "copyright", "series"),
    Category(4, "character", "character"),
)

ALL_CATEGORIES = ("0", "1", "3", "4", "5")
"""Numbers of all categories, as the metadata has them; 1 is artist, 5 is meta."""

CATEGORIES: Mapping[int, str] = {one.number: one.name for one in KEPT}
"""Danbooru's name of each category that is kept, by number."""

CATEGORY_NAMES: Mapping[int, str] = {one.number: one.shown for one in KEPT}
"""The name that people read, by number."""

TAG_KINDS: Mapping[str, int] = {one.shown: one.number for one in KEPT}
"""Danbooru's number, by the name that people read."""


def column(category: int) -> str:
    """Return the name of the column that lists the tags of a category."""
    return f"tags_cat{category}"
