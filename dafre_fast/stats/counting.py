"""Count over tables of images and their tags, in few passes and little memory.

All statistics are computed from frequency tables: one row per tag, class, number of tags, or size,
with the number of images that have it. These tables stay small, however many images there are.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from dafre_fast.core.categories import CATEGORY_NAMES, column
from dafre_fast.stats.records import Level, Spread
from dafre_fast.tables.writing import write_parquet

_WORD = "[^ _]+"
UNKNOWN = "unknown"
"""The extension counted for an image without one, if other images of the table have one."""


class Counts(NamedTuple):
    """The number of `images`, and frequency tables of their values.

    Each table has its values and the number of images that have them (`images`, int64); it is empty
    if no image has a value.
    - `extensions`: file_ext (str), most frequent first.
    - `sizes`: image_width, image_height (int64, pixels), in ascending order.
    - `classes`: class_id (int64), largest first.
    - `tags`: category (int64), level (the text of a `Level`), tag (str) and, in place of `images`,
      `uses` (int64): category by category, most used first.
    - `per_image`: category, level and `number` (int64) of tags or words of an image.
    """

    images: int
    extensions: pl.DataFrame
    sizes: pl.DataFrame
    classes: pl.DataFrame
    tags: pl.DataFrame
    per_image: pl.DataFrame


def count(rows: pl.LazyFrame, *, words: bool) -> Counts:
    """Return the counts of `rows`, a table like `Tagged.rows`.

    If `words`, the words in tags of category 0 are counted too.
    """
    sizes = ("image_width", "image_height")
    levels = [(category, Level.TAGS) for category in CATEGORY_NAMES]
    extensions = _collect(_ranked(rows, "file_ext", fill=UNKNOWN))
    tags = [_collect(_uses(rows, category)) for category in CATEGORY_NAMES]
    numbers = [_collect(_numbers(rows, *level)) for level in levels]
    if words:
        tags.insert(1, _words(tags[0]))
        numbers.insert(1, _collect(_numbers(rows, 0, Level.WORDS)))
    return Counts(
        images=int(extensions["images"].sum()),
        extensions=extensions.filter((pl.col("file_ext") != UNKNOWN).any()),
        sizes=_collect(_tally(rows.drop_nulls(sizes), *sizes).sort(sizes)),
        classes=_collect(_ranked(rows.drop_nulls("class_id"), "class_id")),
        tags=pl.concat(tags),
        per_image=pl.concat(numbers),
    )


def _collect(rows: pl.LazyFrame) -> pl.DataFrame:
    """Run one query. Several at once would keep the shared input in memory for each other."""
    return rows.collect(engine="streaming")


def _tally(rows: pl.LazyFrame, *names: str) -> pl.LazyFrame:
    return rows.group_by(*names).agg(images=pl.len().cast(pl.Int64))


def _ranked(rows: pl.LazyFrame, name: str, fill: str | None = None) -> pl.LazyFrame:
    values = pl.col(name) if fill is None else pl.col(name).fill_null(fill)
    return _tally(rows.select(values), name).sort("images", name, descending=[True, False])


def _numbers(rows: pl.LazyFrame, category: int, level: Level) -> pl.LazyFrame:
    tags = pl.col(column(category))
    number = (
        tags.list.len() if level is Level.TAGS else tags.list.join(" ").str.count_matches(_WORD)
    )
    known = rows.filter(tags.is_not_null()).select(number=number.cast(pl.Int64))
    return _tally(known, "number").select(*_labels(category, level), "number", "images")


def _uses(rows: pl.LazyFrame, category: int) -> pl.LazyFrame:
    tags = rows.select(tag=column(category)).filter(pl.col("tag").list.len() > 0)
    used = tags.explode("tag").group_by("tag").agg(uses=pl.len().cast(pl.Int64))
    return _by_use(used, category, Level.TAGS)


def _words(tags: pl.DataFrame) -> pl.DataFrame:
    words = tags.lazy().select(tag=pl.col("tag").str.extract_all(_WORD), uses="uses")
    found = words.filter(pl.col("tag").list.len() > 0).explode("tag")
    return _by_use(found.group_by("tag").agg(pl.col("uses").sum()), 0, Level.WORDS).collect()


def _by_use(used: pl.LazyFrame, category: int, level: Level) -> pl.LazyFrame:
    ranked = used.sort("uses", "tag", descending=[True, False])
    return ranked.select(*_labels(category, level), "tag", "uses")


def _labels(category: int, level: Level) -> tuple[pl.Expr, pl.Expr]:
    return pl.lit(category, pl.Int64).alias("category"), pl.lit(level.value).alias("level")


def spread(values: pl.Series, number: pl.Series | None = None) -> Spread:
    """Return mean, median and sample standard deviation of whole numbers.

    `values` and `number` are int64 (N,): each value is counted `number` times, or once without
    `number`.
    """
    order = values.arg_sort()
    ranked = values.gather(order).to_numpy()
    times = np.ones_like(ranked) if number is None else number.gather(order).to_numpy()
    total = int(times.sum())
    if not total:
        return Spread(None, None, None)
    mean = int((ranked * times).sum()) / total
    ends = np.cumsum(times)  # the rank just after the last repetition of each value
    middle = ranked[np.searchsorted(ends, [(total - 1) // 2, total // 2], side="right")]
    squares = float((times * (ranked - mean) ** 2).sum())
    std = (squares / (total - 1)) ** 0.5 if total > 1 else None
    return Spread(mean, float(middle.mean()), std)


def write_counts(counts: Counts, folder: Path) -> None:
    """Write tag_counts.parquet and, if there are classes, class_counts.parquet.

    Rows keep the order of `counts`: most used first, largest first. Raises OutputError if `folder`
    cannot be written.
    """
    write_parquet(counts.tags, folder / "tag_counts.parquet")
    if not counts.classes.is_empty():
        write_parquet(counts.classes, folder / "class_counts.parquet")
