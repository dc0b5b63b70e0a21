"""Write tables of tags: a CSV file as the original writes it, and Parquet with lists.

The CSV has a header, and each list as Python prints it: `"['1 girl', 'solo']"`.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.atomic import replacing
from dafre_fast.core.categories import CATEGORIES, column
from dafre_fast.tables.writing import write_parquet

_SPECIAL = ("[PAD]", "[UNUSED]", "[CLS]", "[SEP]", "[UNK]")
"""Special words at the beginning of the vocabulary, as in the original."""


def write_tag_table(rows: pl.LazyFrame, names: pl.Series, stem: Path) -> None:
    """Write `{stem}.parquet` and `{stem}.csv`: `rows`, with `names` in place of the numbers in
    their lists. Raises OutputError if the system refuses.
    """
    write_parquet(rows.with_columns(_named(names)), stem.with_name(f"{stem.name}.parquet"))
    literals = pl.Series([repr(name) for name in names], dtype=pl.String)
    joined = (
        pl.concat_str(pl.lit("["), lists.list.join(", "), pl.lit("]")).alias(column(category))
        for category, lists in zip(CATEGORIES, _named(literals), strict=True)
    )
    with replacing(stem.with_name(f"{stem.name}.csv")) as part:
        rows.with_columns(*joined).sink_csv(part)


def _named(names: pl.Series) -> Iterable[pl.Expr]:
    numbers = pl.int_range(len(names), dtype=pl.UInt32, eager=True)
    named = pl.element().replace_strict(numbers, names, return_dtype=pl.String)
    return [pl.col(column(category)).list.eval(named) for category in CATEGORIES]


def count_numbers(rows: pl.LazyFrame, category: int) -> pl.DataFrame:
    """Return each `number` that occurs in the lists of a category, and its `uses`."""
    numbers = rows.select(number=pl.col(column(category)).explode()).drop_nulls()
    return numbers.group_by("number").agg(uses=pl.len()).collect(engine="streaming")


def write_vocabulary(counts: pl.DataFrame, names: pl.Series, path: Path) -> None:
    """Write `{"word_to_index": {…}, "index_to_word": […]}`: the original's special words, then the
    tags, the most used first, those with as many uses by name. `counts` is from `count_numbers`.

    Raises OutputError if the system refuses.
    """
    ordered = counts.sort(["uses", "number"], descending=[True, False])["number"]
    words = [*_SPECIAL, *names.gather(ordered)]
    vocabulary = {
        "word_to_index": {word: index for index, word in enumerate(words)},
        "index_to_word": words,
    }
    with replacing(path) as part:
        part.write_bytes(msgspec.json.format(msgspec.json.encode(vocabulary), indent=1))


def write_untagged(untagged: pl.DataFrame, path: Path) -> None:
    """Write a CSV with header `split,class_id,dir,reason` and a line per image.

    Raises OutputError if the system refuses.
    """
    with replacing(path) as part:
        untagged.select("split", "class_id", "dir", "reason").write_csv(part)
