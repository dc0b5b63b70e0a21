"""Write tables of tags: CSV in the format of DAF:re, and Parquet with columns of lists.

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
"""The special words of DAF:re's vocabulary, which take its first numbers."""


def write_tag_table(rows: pl.LazyFrame, names: pl.Series, stem: Path) -> None:
    """Write `rows` to `{stem}.parquet` and `{stem}.csv`, with names in place of numbers.

    The lists of numbers (uint32) are places in `names` (str). Raises OutputError if a file cannot
    be written.
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
    """Return each `number` (uint32) in the lists of a category, and its `uses`."""
    numbers = rows.select(number=pl.col(column(category)).explode()).drop_nulls()
    return numbers.group_by("number").agg(uses=pl.len()).collect(engine="streaming")


def write_vocabulary(counts: pl.DataFrame, names: pl.Series, path: Path) -> None:
    """Write a vocabulary as JSON: `{"word_to_index": {…}, "index_to_word": […]}`.

    The special words come first, then the tags by number of uses, ties by name. `counts` is the
    result of `count_numbers`, whose numbers are places in `names`. Raises OutputError if the file
    cannot be written.
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
    """Write the images without tags as CSV: `split,class_id,dir,reason`, with a header.

    Raises OutputError if the file cannot be written.
    """
    with replacing(path) as part:
        untagged.select("split", "class_id", "dir", "reason").write_csv(part)
