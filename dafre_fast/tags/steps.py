"""The original's steps from Danbooru's metadata to clean tags, each a pure expression.

In the original's order, which reads and writes a table of its own for each:

    1  posts.organise                                   what is needed of each post
    2  posts.read_posts                                 all files together; `image_paths`
    3  `unflagged` `rated` `among` `fully_tagged`       which posts are kept: true for those
    4  `without_symbols`                                what becomes of each tag: the new one,
    5  `long_enough` or `too_short`, `used`             null for none
    6  `clean`
    7  `filled`                                         lists without tags
    8  `among` the images of the labels

Steps 3 and 7 look at posts (`posts.Posts.rows`); steps 4 to 6 at the vocabulary
(`vocabulary.read_vocabulary`), which has each distinct tag of a category once.

What the original has otherwise: its flags of step 3 do the opposite of their names (`--filt_bool`
switches that filter off); an id below 100 gets a folder of one or two digits; `kaede,_the_fox`
becomes two tags, since lists are joined and split at comma and space; a word list with a blank line
takes every tag for a profanity.
"""

from collections.abc import Sequence

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.tables.posts import FLAGS

UNLABELED = "unlabeled"
_SYMBOLS = r'[\\~#%&*{}<>?!|"\-^;.:_/]+'


def unflagged() -> pl.Expr:
    """Not pending, flagged, deleted or banned; a flag that is missing is not set."""
    return ~pl.any_horizontal(pl.col(flag).fill_null(value=False) for flag in FLAGS)


def rated(ratings: Sequence[str]) -> pl.Expr:
    """Of one of these ratings. A post without one is of none."""
    return pl.col("rating").is_in([*ratings]).fill_null(value=False)


def among(ids: pl.Series) -> pl.Expr:
    """Of these images."""
    return pl.col("id").is_in(ids.implode())


def fully_tagged() -> pl.Expr:
    """With at least one tag in each category."""
    return pl.all_horizontal(pl.col(column(category)).list.len() > 0 for category in CATEGORIES)


def without_symbols() -> pl.Expr:
    """The original's three rewrites: `1girl` to `1 girl` (of any digit before letters out of `girl`
    and `boy`), `6+girls` to `6+ girls`, and every run of punctuation to one space. A tag of spaces
    alone is none. As in the original, spaces at either end stay.
    """
    digit_apart = pl.col("tag").str.replace_all(r"(\d)([girl|boy]+)", "${1} ${2}")
    # Letters as Python's \w has them; to Rust's, combining marks are some.
    six_apart = digit_apart.str.replace_all(r"(6\+)([\p{L}\p{N}_])", "${1} ${2}")
    spaced = six_apart.str.replace_all(_SYMBOLS, " ")
    return _only(spaced, spaced.str.contains("[^ ]"))


def long_enough(min_length: int) -> pl.Expr:
    """Of at least so many characters, spaces not counted."""
    return _only(pl.col("tag"), _length() >= min_length)


def too_short(min_length: int) -> pl.Expr:
    """The inverse of `long_enough`."""
    return _only(pl.col("tag"), _length() < min_length)


def used(min_uses: int) -> pl.Expr:
    """With at least so many uses in its category over the whole set."""
    return _only(pl.col("tag"), pl.col("uses").sum().over("category", "tag") >= min_uses)


def clean(profanities: Sequence[str]) -> pl.Expr:
    """Without any of these anywhere in it; category 0 alone is looked at."""
    profane = pl.col("tag").str.contains_any([*profanities]) & (pl.col("category") == 0)
    return _only(pl.col("tag"), ~profane)


def filled(category: int, unlabeled: int) -> pl.Expr:
    """An empty list gets one tag that says so, given by its number."""
    lists = pl.col(column(category))
    one = pl.lit([unlabeled], dtype=pl.List(pl.UInt32))
    return pl.when(lists.list.len() == 0).then(one).otherwise(lists).alias(column(category))


def _length() -> pl.Expr:
    return pl.col("tag").str.replace_all(" ", "", literal=True).str.len_chars()


def _only(tag: pl.Expr, stays: pl.Expr) -> pl.Expr:
    return pl.when(stays).then(tag).alias("tag")
