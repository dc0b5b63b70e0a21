"""Read faces.tsv: numbers of each row, or the problem with it.

The file has three tab-separated columns without header or quoting: path, tag id, head box. The
published file has backslashes in its paths, and its folders are `id % 1000`. None of its 140,490
paths has another folder, so a row that has one is damaged.
"""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.records import Box
from dafre_fast.tables.blocks import read_lines
from dafre_fast.tables.kernels.row_lines import BLANK, UNREAD, parse_faces
from dafre_fast.tables.row_problems import problem_of_face
from dafre_fast.tables.text import problem_column, read_rows

EDGES = Box._fields


def read_faces(path: Path) -> pl.DataFrame:
    """Return the rows of faces.tsv: line uint32 (from 1), id int64, tag_id int64, left, top, right,
    bottom (shares of the oriented picture) and confidence float32, problem (a `RowProblem`, null
    for a good row). The numbers of a bad row are -1 and NaN. Blank lines are not rows.

    Raises InputError if the file cannot be read, is not a table of text, or has no row.
    """
    return read_rows(path, _parse)


def names_in(path: Path) -> pl.LazyFrame:
    """Return the names of the originals in faces.tsv: `key`, the decimal id, and `name`
    (`332446.png`), of the first row of each image. Rows without such a name are left out.

    Raises InputError as `read_lines` does.
    """
    blocks = [
        lines.lazy()
        .select(name=pl.col("text").str.extract(r"^(?:[0-9]+[/\\])?([0-9]+\.[0-9A-Za-z]+) *\t"))
        .drop_nulls()
        .select(pl.col("name").str.splitn(".", 2).struct.field("field_0").alias("key"), "name")
        for lines in read_lines(path)
    ]
    return pl.concat(blocks).unique("key", keep="first").collect().lazy()


def _parse(text: NDArray[np.uint8]) -> pl.DataFrame:
    lines = parse_faces(text)
    return pl.DataFrame(
        [
            pl.Series("id", lines.ids),
            pl.Series("tag_id", lines.tag_ids),
            *map(pl.Series, (*EDGES, "confidence"), lines.numbers),
            problem_column(text, lines.starts, lines.states == UNREAD, problem_of_face),
            pl.Series("blank", lines.states == BLANK),
        ]
    )
