"""The steps of DAF:re's scripts from Danbooru's metadata to clean tags, as polars expressions.

They come in the order of the scripts, which read and write a table for each step:

    1  posts.organise                                   keep the fields needed of each post
    2  posts.read_posts                                 join all files; `image_paths`
    3  `unflagged` `rated` `among` `fully_tagged`       choose posts: true for those kept
    4  `without_symbols`                                change tags: the new tag,
    5  `long_enough` or `too_short`, `used`             null to remove it
    6  `clean`
    7  `filled`                                         fill lists without tags
    8  `among`                                          keep the images of the labels

Steps 3 and 7 apply to posts (`posts.Posts.rows`), steps 4 to 6 to the vocabulary
(`vocabulary.read_vocabulary`), which has each different tag of a category once.

Differences: in the scripts, the flags of step 3 do the opposite of their names (`--filt_bool`
switches that filter off); an id below 100 gets a folder of one or two digits; `kaede,_the_fox`
becomes two tags, since lists are joined and split at comma and space; and a word list with a blank
line removes every tag as a profanity.
"""

from collections.abc import Sequence

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.tables.post_shape import FLAGS

UNLABELED = "unlabeled"
_RATINGS = {"general": "g", "safe": "s", "sensitive": "s", "questionable": "q", "explicit": "e"}
_SYMBOLS = r'[\\~#%&*{}<>?!|"\-^;.:_/]+'


def unflagged() -> pl.Expr:
    """Keep posts that are not pending, flagged, deleted or banned. A missing flag is not set."""
    return ~pl.any_horizontal(pl.col(flag).fill_null(value=False) for flag in FLAGS)


def rated(ratings: Sequence[str]) -> pl.Expr:
    """Keep posts with one of these ratings, be it written as a letter or as a word. A post without
    a rating is left out.
    """
    words = [word for word, letter in _RATINGS.items() if letter in ratings]
    return pl.col("rating").is_in([*ratings, *words]).fill_null(value=False)


def among(ids: pl.Series) -> pl.Expr:
    """Keep the posts with these `ids` (int64)."""
    return pl.col("id").is_in(ids.implode())


def fully_tagged() -> pl.Expr:
    """Keep posts with at least one tag in each category."""
    return pl.all_horizontal(pl.col(column(category)).list.len() > 0 for category in CATEGORIES)


def without_symbols() -> pl.Expr:
    """Rewrite symbols in tags as DAF:re's scripts do; remove tags that become all spaces.

    Three rewrites: `1girl` to `1 girl` (any digit before letters of `girl` or `boy`), `6+girls` to
    `6+ girls`, and each run of punctuation to one space. Spaces at either end stay, as in the
    scripts.
    """
    digit_apart = pl.col("tag").str.replace_all(r"(\d)([girl|boy]+)", "${1} ${2}")
    # These are the letters of Python's \w. Rust's \w would include combining marks.
    six_apart = digit_apart.str.replace_all(r"(6\+)([\p{L}\p{N}_])", "${1} ${2}")
    spaced = six_apart.str.replace_all(_SYMBOLS, " ")
    return _only(spaced, spaced.str.contains("[^ ]"))


def long_enough(min_length: int) -> pl.Expr:
    """Keep tags of at least `min_length` characters, not counting spaces."""
    return _only(pl.col("tag"), _length() >= min_length)


def too_short(min_length: int) -> pl.Expr:
    """Keep tags of fewer than `min_length` characters: the inverse of `long_enough`."""
    return _only(pl.col("tag"), _length() < min_length)


def used(min_uses: int) -> pl.Expr:
    """Keep tags with at least `min_uses` uses in their category, over all posts."""
    return _only(pl.col("tag"), pl.col("uses").sum().over("category", "tag") >= min_uses)


def clean(profanities: Sequence[str]) -> pl.Expr:
    """Remove tags of category 0 that contain any of these texts."""
    profane = pl.col("tag").str.contains_any([*profanities]) & (pl.col("category") == 0)
    return _only(pl.col("tag"), ~profane)


def filled(category: int, unlabeled: int) -> pl.Expr:
    """Put the tag with number `unlabeled` into each empty list of a category."""
    lists = pl.col(column(category))
    one = pl.lit([unlabeled], dtype=pl.List(pl.UInt32))
    return pl.when(lists.list.len() == 0).then(one).otherwise(lists).alias(column(category))


def _length() -> pl.Expr:
    return pl.col("tag").str.replace_all(" ", "", literal=True).str.len_chars()


def _only(tag: pl.Expr, keeps: pl.Expr) -> pl.Expr:
    return pl.when(keeps).then(tag).alias("tag")
