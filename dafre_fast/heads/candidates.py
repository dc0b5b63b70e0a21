"""Choose the posts to search for heads: those with exactly one tag of a character, or several."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.categories import column
from dafre_fast.core.errors import InputError
from dafre_fast.core.summaries import Step
from dafre_fast.heads.settings import Candidates
from dafre_fast.tables.bad_rows import SCHEMA as BAD_ROWS
from dafre_fast.tables.bad_rows import refuse_too_many
from dafre_fast.tables.marks import bad_rows_of, is_good
from dafre_fast.tables.posts import read_posts
from dafre_fast.tables.tag_ids import read_tags

_TAGS = {"tag_id": pl.Int64(), "class_name": pl.String()}

CHARACTER = 4
"""Danbooru's number of the category."""


class Chosen(NamedTuple):
    """The posts to search. `rows` has a row per post, in the order of the metadata: `id` and
    `tag_id` int64, null for a post with several characters. `tags` has the names: `tag_id` int64
    and `class_name`, in the order in which tagIds.tsv has them. `bad_rows` are as in
    `Catalogue.bad_rows`.
    """

    rows: pl.DataFrame
    tags: pl.DataFrame
    funnel: Sequence[Step]
    bad_rows: pl.DataFrame


def choose(
    paths: Sequence[Path], rules: Candidates, max_bad_records: float, scratch: Path
) -> Chosen:
    """Read metadata and choose posts. Temporary files are written into `scratch`.

    Tags are numbered from 0 in the order in which they appear among the posts with one, as in the
    original; those of `rules.tag_ids` keep their numbers, and new ones follow. Posts with several
    characters, if `rules.several_characters`, change neither tags nor funnel.

    Raises InputError if a file cannot be read, or no post is left.
    """
    posts = read_posts(paths, scratch, max_bad_records)
    kept = posts.rows.filter(_rules(rules))
    tags = pl.col(column(CHARACTER))
    number = pl.when(tags.list.len() == 1).then(tags.list.first())
    some = tags.list.len() >= 1 if rules.several_characters else tags.list.len() == 1
    rows = kept.filter(some).select("id", number=number).collect(engine="streaming")
    single = rows.drop_nulls("number")
    if rows.is_empty():
        number_of = "a" if rules.several_characters else "exactly one"
        raise InputError(
            f"{', '.join(map(str, paths))}: no post has {number_of} tag of a character"
        )
    names = posts.names[CHARACTER]
    known, bad_tags = _known(rules.tag_ids, max_bad_records)
    order = single["number"].unique(maintain_order=True)
    found = pl.DataFrame({"number": order, "class_name": names.gather(order)})
    tags_of_all = _numbered(found["class_name"], known)
    numbered = found.join(tags_of_all, on="class_name", how="left")
    chosen = rows.join(numbered, on="number", how="left", maintain_order="left")
    funnel = [
        Step("posts", posts.rows.select(pl.len()).collect().item(), len(names)),
        Step("exactly one character tag", single.height, len(order)),
    ]
    bad_rows = pl.concat([posts.bad_rows, bad_tags])
    return Chosen(chosen.select("id", "tag_id"), tags_of_all, funnel, bad_rows)


def _rules(rules: Candidates) -> pl.Expr:
    keeps = pl.lit(value=True)
    if rules.ratings:
        keeps &= pl.col("rating").is_in(rules.ratings)
    for flag in rules.without:
        keeps &= ~pl.col(f"is_{flag}").fill_null(value=False)
    return keeps


def _known(tag_ids: Path | None, max_bad_rows: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the good rows of tagIds.tsv, and its bad rows."""
    if tag_ids is None:
        return pl.DataFrame(schema=_TAGS), pl.DataFrame(schema=BAD_ROWS)
    tags = read_tags(tag_ids)
    bad_rows = bad_rows_of(tag_ids, tags)
    refuse_too_many(tag_ids, bad_rows, tags.height, max_bad_rows)
    return tags.filter(is_good).select("tag_id", "class_name"), bad_rows


def _numbered(names: pl.Series, known: pl.DataFrame) -> pl.DataFrame:
    """Return the known tags, and behind them those of `names` that are new, numbered from there."""
    first = 1 + int(known["tag_id"].to_numpy().max(initial=-1))
    new = names.filter(~names.is_in(known["class_name"].implode())).alias("class_name")
    numbered = new.to_frame().with_row_index("tag_id", offset=first)
    return pl.concat([known, numbered.cast({"tag_id": pl.Int64}).select(known.columns)])
