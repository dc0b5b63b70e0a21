"""tagIds.tsv: two tab-separated columns, name and tag id. Names stand as they are."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.marks import mark_repeats
from dafre_fast.tables.row_problems import problem_of_tag
from dafre_fast.tables.text import problem_column, read_rows


def read_tags(path: Path) -> pl.DataFrame:
    """Rows of tagIds.tsv: line uint32 (from 1), tag_id int64, class_name, problem (a `RowProblem`,
    null for a good row). Of several rows of a tag id the first is good. Blank lines are no rows.

    Raises InputError where there is no such file, no table in it, or no row.
    """
    return mark_repeats(read_rows(path, _parse), "tag_id", RowProblem.DUPLICATE_TAG_ID)


def _parse(text: NDArray[np.uint8]) -> pl.DataFrame:
    from dafre_fast.tables.kernels.row_lines import BLANK, UNREAD, parse_tags

    lines, whole = parse_tags(text), text.tobytes()
    places = zip(lines.starts.tolist(), lines.name_ends.tolist(), strict=True)
    return pl.DataFrame(
        [
            pl.Series("tag_id", lines.tag_ids),
            # What is not UTF-8 is no good row, whatever is read of it here.
            pl.Series(
                "class_name", [whole[start:end].decode(errors="replace") for start, end in places]
            ),
            problem_column(text, lines.starts, lines.states == UNREAD, problem_of_tag),
            pl.Series("blank", lines.states == BLANK),
        ]
    )
