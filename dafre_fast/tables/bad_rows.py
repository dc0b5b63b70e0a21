"""Bad rows: counted for the summary of a run, listed in a file, and limited in number."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import polars as pl
from msgspec import Struct
from msgspec.structs import replace

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, OutputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.summaries import NAMED_LINES, Problem

S = TypeVar("S", bound=Struct)

SCHEMA = {"table": pl.String(), "line": pl.UInt32(), "problem": pl.String()}
"""Columns of bad rows: the name of their table, their line in it (from 1), and a `RowProblem`."""


def table_name(path: Path) -> str:
    """Return the name of a file as text that can be printed and stored."""
    return path.name.encode(errors="replace").decode()  # polars takes nothing but UTF-8


def refuse_too_many(path: Path, bad_rows: pl.DataFrame, rows: int, at_most: float) -> None:
    """Raise InputError if more than the share `at_most` of a table's rows is bad."""
    if rows and bad_rows.height / rows > at_most:
        worst = max(summed_up(bad_rows), key=lambda problem: problem.rows)
        raise InputError(
            f"{path}: {bad_rows.height:,} of {rows:,} rows are malformed (at most "
            f"{at_most:.2%} may be); most often {worst.problem}, first in line {worst.lines[0]}:"
            f" {RowProblem(worst.problem).cause}"
        )


def summed_up(bad_rows: pl.DataFrame) -> list[Problem]:
    """Return a `Problem` for each table and problem; columns of the rows as in `SCHEMA`."""
    found = bad_rows.group_by("table", "problem", maintain_order=True).agg(
        pl.len(), pl.col("line").head(NAMED_LINES)
    )
    return [Problem(*row) for row in found.rows()]


class BadRows(NamedTuple):
    """Bad rows as a summary shows them: their problems, and the path of the list of all of them,
    None if there are none.
    """

    problems: Sequence[Problem] = ()
    path: str | None = None

    def added_to(self, summary: S) -> S:
        """Return a summary with its fields `bad_rows` and `bad_rows_list` set."""
        return replace(summary, bad_rows=self.problems, bad_rows_list=self.path)


def write_bad_rows(bad_rows: pl.DataFrame, path: Path) -> BadRows:
    """Write the list of all bad rows (columns as in `SCHEMA`) as CSV with a header, and return what
    a summary shows of them. Without bad rows, the list that an earlier run left is removed.

    Raises OutputError where that fails.
    """
    if not bad_rows.is_empty():
        with replacing(path) as part:
            bad_rows.write_csv(part)
        return BadRows(summed_up(bad_rows), str(path))
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    return BadRows()
