"""Tables of tags as handed out: a CSV as the original writes it, and Parquet with lists.

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
"""Of the original's vocabulary, at the same places."""


def write_tag_table(rows: pl.LazyFrame, names: pl.Series, stem: Path) -> None:
    """Write `{stem}.parquet` and `{stem}.csv`: `rows` with their lists of numbers as lists of what
    `names` has at these places. Raises OutputError where that is not possible.
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
    """Of a column of lists: each `number` that is in one, and its `uses`."""
    numbers = rows.select(number=pl.col(column(category)).explode()).drop_nulls()
    return numbers.group_by("number").agg(uses=pl.len()).collect(engine="streaming")


def write_vocabulary(counts: pl.DataFrame, names: pl.Series, path: Path) -> None:
    """Write `{"word_to_index": {…}, "index_to_word": […]}`: the original's special words, then the
    tags in order of their uses, those of as many by name. `counts` is of `count_numbers`.

    Raises OutputError where that is not possible.
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
    """Write `split,class_id,dir,reason`, a line per image below a header.

    Raises OutputError where that is not possible.
    """
    with replacing(path) as part:
        untagged.select("split", "class_id", "dir", "reason").write_csv(part)
