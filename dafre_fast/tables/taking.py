"""Take the first rows of a table, or some at random (`core.settings.tables.Taking`).

Which rows are drawn follows from seed and key of each row alone. So a larger number adds rows to
those of a smaller one, and a run that asks for more goes on.
"""

import hashlib
from heapq import nsmallest

import polars as pl

from dafre_fast.core.settings.tables import Taking


def takes(keys: pl.Series, taking: Taking) -> pl.Series:
    """Return for each row of a table, by its key, whether it is taken; `keys` are text or whole
    numbers, in the order of the table.
    """
    places: range | list[int] = range(taking.limit or len(keys))
    if taking.sample:
        seed = b"%d " % taking.seed
        drawn = [hashlib.sha256(seed + str(key).encode()).digest() for key in keys]
        places = nsmallest(taking.sample, range(len(keys)), key=drawn.__getitem__)
    return pl.int_range(len(keys), eager=True).is_in([*places])


def take_rows(rows: pl.DataFrame, taking: Taking, key: str = "id") -> pl.DataFrame:
    """Return the rows that are taken, in their order; if they have a `line`, it is the order of the
    table.
    """
    if not taking.words:
        return rows
    if "line" not in rows.columns:
        return rows.filter(takes(rows[key], taking))
    in_order = rows.select("line", key).sort("line")
    lines = in_order.filter(takes(in_order[key], taking))["line"]
    return rows.filter(pl.col("line").is_in(lines.implode()))
