"""Read tagIds.tsv: two tab-separated columns, name and tag id, without header or quoting."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.reasons import RowProblem
from dafre_fast.tables.kernels.row_lines import BLANK, UNREAD, parse_tags
from dafre_fast.tables.marks import mark_repeats
from dafre_fast.tables.row_problems import problem_of_tag
from dafre_fast.tables.text import problem_column, read_rows


def read_tags(path: Path) -> pl.DataFrame:
    """Return the rows of tagIds.tsv: line uint32 (from 1), tag_id int64, class_name, problem (a
    `RowProblem`, null for a good row). If a tag id has several rows, the first is good. Blank lines
    are not rows.

    Raises InputError if the file cannot be read, is not a table of text, or has no row.
    """
    return mark_repeats(read_rows(path, _parse), "tag_id", RowProblem.DUPLICATE_TAG_ID)


def _parse(text: NDArray[np.uint8]) -> pl.DataFrame:
    lines, whole = parse_tags(text), text.tobytes()
    places = zip(lines.starts.tolist(), lines.name_ends.tolist(), strict=True)
    return pl.DataFrame(
        [
            pl.Series("tag_id", lines.tag_ids),
            # A name that is not UTF-8 makes a bad row, whatever text it has here.
            pl.Series(
                "class_name", [whole[start:end].decode(errors="replace") for start, end in places]
            ),
            problem_column(text, lines.starts, lines.states == UNREAD, problem_of_tag),
            pl.Series("blank", lines.states == BLANK),
        ]
    )
