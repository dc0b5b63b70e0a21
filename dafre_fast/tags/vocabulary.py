"""The vocabulary: each different tag of a category once, with its uses and its new name."""

from collections.abc import Mapping

import polars as pl

from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.core.summaries import TagCount
from dafre_fast.tags.steps import UNLABELED


def read_vocabulary(posts: pl.LazyFrame, names: Mapping[int, pl.Series], by: str) -> pl.DataFrame:
    """Return the tags of `posts`, counted per value of the column `by`.

    There is one row per category (int64), name (str) and value of `by`. It has the `number` of the
    tag (uint32, its place in `names`), its `uses` (int64) in posts with that value, and `tag`
    (str), its name so far, which later steps change.
    """
    counted = pl.collect_all(
        [
            posts.select(by, number=column(category))
            .explode("number")
            .drop_nulls("number")
            .group_by("number", by)
            .agg(uses=pl.len().cast(pl.Int64))
            for category in names
        ],
        engine="streaming",
    )
    named = [
        counts.join(_numbers(names[category]), on="number").select(
            pl.lit(category, pl.Int64).alias("category"), "name", by, "number", "uses", tag="name"
        )
        for category, counts in zip(names, counted, strict=True)
    ]
    return pl.concat(named).sort("category", "name")


def _numbers(names: pl.Series) -> pl.DataFrame:
    return names.alias("name").to_frame().with_row_index("number")


def count(vocabulary: pl.LazyFrame) -> dict[int, TagCount]:
    """Return the number of different tags left (not null) and of their uses, by category."""
    left = vocabulary.drop_nulls("tag").group_by("category")
    rows = left.agg(pl.col("tag").n_unique(), pl.col("uses").sum()).collect().rows()
    found = {category: TagCount(unique, uses) for category, unique, uses in rows}
    return {category: found.get(category, TagCount(0, 0)) for category in CATEGORIES}


class Tags:
    """The tags left of a vocabulary, renumbered from 0 in the order of their names.

    `names` (str) has the name of each number: all tags left in any category, and `UNLABELED`, whose
    number is `unlabeled`.
    """

    def __init__(self, vocabulary: pl.DataFrame) -> None:
        self._left = vocabulary.drop_nulls("tag")
        unlabeled = pl.Series("tag", [UNLABELED])
        self.names = pl.concat([self._left["tag"].unique(), unlabeled]).unique().sort()
        self.unlabeled: int = self.names.index_of(UNLABELED) or 0

    def renumbered(self, category: int) -> pl.Expr:
        """Return lists of the new numbers (uint32) for lists of old ones, without removed tags."""
        left = self._left.filter(category=category).join(
            _numbers(self.names).rename({"number": "new"}), left_on="tag", right_on="name"
        )
        new = pl.element().replace_strict(
            left["number"], left["new"], default=None, return_dtype=pl.UInt32
        )
        return pl.col(column(category)).list.eval(new.drop_nulls())

    def with_unlabeled(self, category: int, before: TagCount, empty: int) -> TagCount:
        """Return the count of a category after `empty` lists were filled with `UNLABELED`."""
        new = empty > 0 and UNLABELED not in self._left.filter(category=category)["tag"]
        return TagCount(before.unique + new, before.uses + empty)
