"""The fields of posts, Danbooru's records of images with their tags, in all forms that are found.

Danbooru2018 to 2020 have `"tags": [{"id", "name", "category"}, …]`, with numbers as text. Newer
metadata has the names of a category in one text, `tag_string_general` and so on, separated by
blanks. Tools that hand it on add lists (`tags_general` of gallery-dl), name the columns by their
categories alone (`general`), and write flags as numbers.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from dafre_fast.core.categories import ALL_CATEGORIES, CATEGORIES
from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.json_lines import PlainLines, Shape
from dafre_fast.tables.json_texts import LONGEST_LINE
from dafre_fast.tables.record_fields import (
    BadRecord,
    as_fields,
    as_flag,
    as_names,
    as_text,
    becomes_text,
    is_missing,
    own_or_asset,
    text_column,
)

FLAGS = ("is_pending", "is_flagged", "is_deleted", "is_banned")
_SIZES = ("image_width", "image_height")
_ONE_TEXT = ("id", "file_ext", *_SIZES, "rating")
TEXTS = tuple(f"tag_string_{name}" for name in CATEGORIES.values())
"""Columns with the names of a category in one text, separated by blanks."""
LISTS = tuple(f"names_{name}" for name in CATEGORIES.values())
"""Columns with the names of a category in lists; a post has texts or lists."""
_ALL_CATEGORIES = frozenset(ALL_CATEGORIES)
_FLAG_KINDS = (pl.Boolean, pl.Null)
_COLUMNS: Mapping[str, pl.DataType] = {
    **dict.fromkeys(FLAGS, pl.Boolean()),
    **dict.fromkeys((*_ONE_TEXT, *TEXTS), pl.String()),
    **dict.fromkeys(LISTS, pl.List(pl.String())),
    "remark": pl.String(),
}


class _Post(msgspec.Struct):
    """The fields that are read. Tags stand in the first of the groups that a post has, see
    `_tags_of`.
    """

    id: Any = None
    file_ext: Any = None
    image_width: Any = None
    image_height: Any = None
    is_pending: Any = None
    is_flagged: Any = None
    is_deleted: Any = None
    is_banned: Any = None
    rating: Any = None
    media_asset: msgspec.Raw = msgspec.Raw()
    tags: Any = None
    tag_string: Any = None
    tag_string_general: Any = None
    tag_string_copyright: Any = None
    tag_string_character: Any = None
    tags_general: Any = None
    tags_copyright: Any = None
    tags_character: Any = None
    general: Any = None
    copyright: Any = None
    character: Any = None


def _plain(block: bytes) -> PlainLines:
    """Read plain lines. Names of the old shape become texts of the new one."""
    # Imported here, so that only those who read JSON wait for the compiler.
    from dafre_fast.tables.kernels.post_lines import (
        COLUMNS,
        GOOD,
        NULL,
        SEPARATOR,
        UNREAD,
        parse_posts,
    )

    text = np.frombuffer(block, np.uint8)
    states, starts, columns = parse_posts(text, LONGEST_LINE)
    rows = pl.read_csv(
        columns.tobytes(),
        has_header=False,
        schema={name: SHAPE.columns[name] for name in COLUMNS},
        separator=chr(SEPARATOR),
        null_values=chr(NULL),
        empty_string_is_null=False,
        quote_char=None,
    ).with_columns(
        pl.Series("line", np.flatnonzero(states == GOOD), pl.UInt32),
        *(pl.lit(None, SHAPE.columns[name]).alias(name) for name in LISTS),
        pl.lit(None, pl.String).alias("remark"),
    )
    odd = np.flatnonzero(states == UNREAD).tolist()
    others = {line: block[starts[line] : starts[line + 1]] for line in odd}
    return PlainLines(rows, others, len(states))


def _row(post: _Post) -> tuple[object, ...]:
    """Return the values of the columns. Raises BadRecord."""
    flags = [as_flag(getattr(post, name)) for name in FLAGS]
    sizes = [own_or_asset(post, name, RowProblem.BAD_SIZE) for name in _SIZES]
    tags = _tags_of(post)
    return (
        *flags,
        as_text(post.id, RowProblem.BAD_ID),
        own_or_asset(post, "file_ext", RowProblem.BAD_EXTENSION),
        *sizes,
        as_text(post.rating, RowProblem.BAD_RATING),
        *(None for _ in TEXTS),
        *tags.names,
        tags.remark,
    )


class _Tags(NamedTuple):
    """The names of the tags of each of `CATEGORIES`, None if unknown, and a remark on them."""

    names: Sequence[list[str] | None]
    remark: RowProblem | None = None


def _tags_of(post: _Post) -> _Tags:
    """Return the tags of a post: objects in a list, else texts or lists for each category (also
    within `tags`), else names of no category, which count as general ones. Raises BadRecord.
    """
    if isinstance(post.tags, list) and not all(isinstance(tag, str) for tag in post.tags):
        return _of_objects(post.tags)
    within = as_fields(post.tags)
    of_danbooru, *groups = (
        [getattr(post, f"tag_string_{name}") for name in CATEGORIES.values()],
        [getattr(post, f"tags_{name}") for name in CATEGORIES.values()],
        [within.get(name) for name in CATEGORIES.values()],
        [getattr(post, name) for name in CATEGORIES.values()],
    )
    if not all(map(is_missing, of_danbooru)):
        return _Tags([as_names(value, commas=False) for value in of_danbooru])
    for group in groups:
        if not all(map(is_missing, group)):
            return _Tags([as_names(value, commas=True) for value in group])
    for value in (post.tags, post.tag_string):
        names = None if within else as_names(value, commas=True)
        if names is not None:
            return _Tags([names, [], []], RowProblem.NO_CATEGORIES if names else None)
    return _Tags([None] * len(CATEGORIES))


def _of_objects(tags: list[object]) -> _Tags:
    names, remark = {str(category): list[str]() for category in CATEGORIES}, None
    for tag in tags:
        if not isinstance(tag, dict | None):
            raise BadRecord(RowProblem.BAD_TAGS)
        name, category = (
            as_text((tag or {}).get(key), RowProblem.BAD_TAGS) for key in ("name", "category")
        )
        if category not in _ALL_CATEGORIES:
            remark = RowProblem.UNKNOWN_CATEGORY
        elif not name:
            remark = remark or RowProblem.UNNAMED_TAG
        elif category in names:
            names[category].append(name)
    return _Tags([*names.values()], remark)


def _flat(kinds: pl.Schema) -> list[pl.Expr] | None:
    """Return the columns of Parquet whose types are the usual ones, else None."""
    if not all(becomes_text(kinds.get(name, pl.Null())) for name in (*_ONE_TEXT, *TEXTS)):
        return None
    if not all(isinstance(kinds.get(name, pl.Null()), _FLAG_KINDS) for name in FLAGS):
        return None
    if all(isinstance(kinds.get(name, pl.Null()), pl.Null) for name in TEXTS):
        return None
    lacks_size = any(name not in kinds for name in ("file_ext", *_SIZES))
    if "media_asset" in kinds and lacks_size:
        return None
    kind = kinds.get("tags", pl.Null())
    if isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
        return None
    return [
        *(text_column(name, kinds) for name in (*_ONE_TEXT, *TEXTS)),
        *(pl.col(name).cast(pl.Boolean) if name in kinds else _null(name) for name in FLAGS),
        *map(_null, (*LISTS, "remark")),
    ]


def _null(name: str) -> pl.Expr:
    return pl.lit(None, _COLUMNS[name]).alias(name)


SHAPE = Shape(_COLUMNS, _Post, _row, _plain, _flat)
TAG_FIELDS = tuple(name for name in _Post.__struct_fields__ if name not in (*FLAGS, *_ONE_TEXT))
"""Fields in which tags may stand."""
