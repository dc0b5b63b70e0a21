"""The original's steps from Danbooru's metadata to clean tags, each a pure expression.

The steps in their order (the original reads and writes a table for each):

    1  posts.organise                                   select the fields of each post
    2  posts.read_posts                                 join all files; `image_paths`
    3  `unflagged` `rated` `among` `fully_tagged`       filter posts: true for those kept
    4  `without_symbols`                                change tags: the new tag,
    5  `long_enough` or `too_short`, `used`             null for a tag that is dropped
    6  `clean`
    7  `filled`                                         fill lists without tags
    8  `among` the labelled images

Steps 3 and 7 work on posts (`posts.Posts.rows`), steps 4 to 6 on the vocabulary
(`vocabulary.read_vocabulary`), which has each distinct tag of a category once.

The original differs in this: its flags of step 3 do the opposite of their names (`--filt_bool`
switches that filter off); an id below 100 gets a folder of one or two digits; `kaede,_the_fox`
becomes two tags, since lists are joined and split at comma and space; and with a blank line in its
list of words every tag is a profanity.
"""

from collections.abc import Sequence

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.tables.posts import FLAGS

UNLABELED = "unlabeled"
_SYMBOLS = r'[\\~#%&*{}<>?!|"\-^;.:_/]+'


def unflagged() -> pl.Expr:
    """Keep posts that are not pending, flagged, deleted or banned. A missing flag is not set."""
    return ~pl.any_horizontal(pl.col(flag).fill_null(value=False) for flag in FLAGS)


def rated(ratings: Sequence[str]) -> pl.Expr:
    """Keep posts that have one of these ratings."""
    return pl.col("rating").is_in([*ratings]).fill_null(value=False)


def among(ids: pl.Series) -> pl.Expr:
    """Keep the posts of these images."""
    return pl.col("id").is_in(ids.implode())


def fully_tagged() -> pl.Expr:
    """Keep posts that have at least one tag in each category."""
    return pl.all_horizontal(pl.col(column(category)).list.len() > 0 for category in CATEGORIES)


def without_symbols() -> pl.Expr:
    """Rewrite tags as the original does: `1girl` to `1 girl` (any digit before a letter of `girl`
    or `boy`), `6+girls` to `6+ girls`, and every run of punctuation to one space. A tag of spaces
    only is dropped. As in the original, spaces at either end stay.
    """
    digit_apart = pl.col("tag").str.replace_all(r"(\d)([girl|boy]+)", "${1} ${2}")
    # The letters of Python's \w; that of Rust also matches combining marks.
    six_apart = digit_apart.str.replace_all(r"(6\+)([\p{L}\p{N}_])", "${1} ${2}")
    spaced = six_apart.str.replace_all(_SYMBOLS, " ")
    return _only(spaced, spaced.str.contains("[^ ]"))


def long_enough(min_length: int) -> pl.Expr:
    """Keep tags of at least `min_length` characters, spaces not counted."""
    return _only(pl.col("tag"), _length() >= min_length)


def too_short(min_length: int) -> pl.Expr:
    """Keep tags shorter than `min_length` characters, spaces not counted."""
    return _only(pl.col("tag"), _length() < min_length)


def used(min_uses: int) -> pl.Expr:
    """Keep tags with at least `min_uses` uses in their category, over all posts kept."""
    return _only(pl.col("tag"), pl.col("uses").sum().over("category", "tag") >= min_uses)


def clean(profanities: Sequence[str]) -> pl.Expr:
    """Keep tags that do not contain any of these words. Only general tags are searched."""
    profane = pl.col("tag").str.contains_any([*profanities]) & (pl.col("category") == 0)
    return _only(pl.col("tag"), ~profane)


def filled(category: int, unlabeled: int) -> pl.Expr:
    """Fill empty lists of a category with one tag, the number `unlabeled`."""
    lists = pl.col(column(category))
    one = pl.lit([unlabeled], dtype=pl.List(pl.UInt32))
    return pl.when(lists.list.len() == 0).then(one).otherwise(lists).alias(column(category))


def _length() -> pl.Expr:
    return pl.col("tag").str.replace_all(" ", "", literal=True).str.len_chars()


def _only(tag: pl.Expr, stays: pl.Expr) -> pl.Expr:
    return pl.when(stays).then(tag).alias("tag")
