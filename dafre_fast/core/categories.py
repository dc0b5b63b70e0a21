"""Danbooru's categories of tags: their numbers and their names."""

from collections.abc import Mapping

TAG_KINDS = {"general": 0, "series": 3, "character": 4}
"""Parameters of the address that name tags, and Danbooru's number of their category."""

CATEGORY_NAMES: Mapping[int, str] = {0: "general", 3: "series", 4: "character"}
"""Danbooru's number of each category that is counted, and what people call it."""

CATEGORIES = {0: "general", 3: "copyright", 4: "character"}
"""Those that are kept: description, series, character, by Danbooru's number and name."""

ALL_CATEGORIES = ("0", "1", "3", "4", "5")  # also artist and meta


def column(category: int) -> str:
    """The column of a category."""
    return f"tags_cat{category}"
