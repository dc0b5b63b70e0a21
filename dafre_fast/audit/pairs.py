"""Choose pairs of duplicates to show from the list that an audit wrote."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.audit.records import Why
from dafre_fast.core.layout import EXCLUDE
from dafre_fast.tables.unreadable import reading

_KINDS = {
    **dict.fromkeys(("id", "class_id", "distance", "kept_id", "kept_class_id"), pl.Int64()),
    **dict.fromkeys(("split", "kept_split", "why"), pl.String()),
}


class Pair(NamedTuple):
    """An image that is left out, and the one kept for it: (left out, kept)."""

    ids: tuple[int, int]
    class_ids: tuple[int, int]
    splits: tuple[str, str]
    distance: int | None


def some_pairs(audit: Path, at_most: int) -> list[Pair]:
    """Return up to `at_most` pairs of the audit in a folder, those across splits first.

    Pairs with equal and with differing hashes alternate; differing ones begin with the least alike,
    which are the doubtful ones. A kept image occurs at most once in each kind.

    Raises InputError if the list cannot be read.
    """
    path = audit / EXCLUDE
    with reading(path):
        rows = pl.scan_csv(path, schema_overrides=_KINDS, glob=False).select(*_KINDS)
        within = pl.col("why") != Why.OTHER_SPLIT.value
        differs = (pl.col("distance") > 0).fill_null(value=False)
        turn = pl.int_range(pl.len()).over("within", "differs")
        first = (
            rows.with_columns(within=within, differs=differs)
            .sort("within", "differs", -pl.col("distance"), "id", nulls_last=True)
            .unique(["differs", "kept_id"], keep="first", maintain_order=True)
            .with_columns(turn=turn)
            .sort("within", "turn", "differs")
            .head(at_most)
            .collect()
        )
    return [
        Pair(
            (row["id"], row["kept_id"]),
            (row["class_id"], row["kept_class_id"]),
            (row["split"], row["kept_split"]),
            row["distance"],
        )
        for row in first.iter_rows(named=True)
    ]
