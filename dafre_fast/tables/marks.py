"""Mark rows of a table with what is wrong with them: a `RowProblem` in the column `problem`, which
is null in a good row.
"""

from pathlib import Path

import polars as pl

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.bad_rows import table_name

is_good = pl.col("problem").is_null()
"""True in a good row."""


def when(condition: pl.Expr, problem: RowProblem) -> pl.Expr:
    """Return the problem where a condition is true, null elsewhere."""
    return pl.when(condition).then(pl.lit(problem.value))


def mark_repeats(
    rows: pl.DataFrame,
    key: str,
    clash: RowProblem,
    *,
    equal: RowProblem = RowProblem.DUPLICATE_ROW,
) -> pl.DataFrame:
    """Mark each good row whose `key` an earlier good row has: as `equal` if all other columns are
    the same too (`table`, `file` and `line` aside), else as `clash`. The first row stays good.
    """
    good = rows.filter(is_good)
    first = good[key].is_first_distinct()
    if first.all():
        return rows
    numbered = rows.with_row_index("row")
    repeated = numbered.filter(is_good, pl.col(key).is_in(good.filter(~first)[key].implode()))
    same = ~pl.struct(pl.exclude("row", "table", "file", "line", "problem")).is_first_distinct()
    again = ~pl.col(key).is_first_distinct()
    marks = repeated.select("row", mark=pl.coalesce(when(same, equal), when(again, clash)))
    marked = numbered.join(marks, on="row", how="left", maintain_order="left")
    return marked.with_columns(problem=pl.coalesce("problem", "mark")).drop("row", "mark")


def bad_rows_of(path: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the marked rows of a table: `table` (the name of its file, or of the `file` that a row
    is from), `line` and `problem`.
    """
    name = pl.col("file") if "file" in rows.columns else pl.lit(table_name(path))
    return rows.select(name.alias("table"), "line", "problem").filter(~is_good)
