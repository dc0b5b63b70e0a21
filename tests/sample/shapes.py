"""Tags of posts in either shape."""

from dafre_fast.sample.vocabulary import Category

STRINGS = {
    Category.GENERAL: "general",
    Category.ARTIST: "artist",
    Category.SERIES: "copyright",
    Category.CHARACTER: "character",
    Category.META: "meta",
}


def tags(post: dict, category: Category) -> list[str]:
    """Names of one category, in their order."""
    if "tags" in post:
        return [tag["name"] for tag in post["tags"] if tag["category"] == str(category.value)]
    return post[f"tag_string_{STRINGS[category]}"].split()
