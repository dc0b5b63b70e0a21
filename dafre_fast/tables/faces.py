"""faces.tsv: from packed text to rows with numbers, each with what is wrong with it, if anything.

The file has three tab-separated columns without header or quoting: path, tag id, head box. The
real one writes backslashes in paths and numbers its folders `id % 1000`.
"""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import Thread

import polars as pl

from dafre_fast.model.errors import InputError
from dafre_fast.model.reason import RowProblem
from dafre_fast.model.records import Box
from dafre_fast.model.settings import usable_cores

EDGES = Box._fields
_SLICE = 65_536


def warm_up() -> Thread:
    """Import numba and the parser in the background.

    The import holds the interpreter for half a second, which polars does not need while it reads
    the table; `labels` is judged with its start included.
    """
    thread = Thread(target=import_module, args=("dafre_fast.tables.boxes",), daemon=True)
    thread.start()
    return thread


def scan_tsv(path: Path, *columns: str) -> pl.LazyFrame:
    """Text columns of a table without header or quoting, and `line` (uint32, from 1).

    Quotes are letters here: a tag is called `"nene"_neville_solstice`. Missing fields are null,
    further ones are left out, bytes that are not UTF-8 become U+FFFD. Blank lines are no rows.
    Raises InputError where there is no such file or nothing in it.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty")
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return pl.scan_csv(
        path,
        separator="\t",
        has_header=False,
        quote_char=None,
        schema=dict.fromkeys(columns, pl.String),
        missing_columns="insert",
        extra_columns="ignore",
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
        row_index_name="line",
        row_index_offset=1,
        glob=False,
    ).filter(pl.any_horizontal(pl.col(*columns).is_not_null()))


def read_faces(path: Path) -> pl.DataFrame:
    """Rows of faces.tsv: line uint32, id int64, tag_id int64, left, top, right, bottom (shares of
    the oriented picture) and confidence float32, problem (a `RowProblem`, null for a good row).

    The text is read while numba is still being imported, then parsed in slices that stay in the
    processor's cache.
    """
    importing = warm_up()
    text = scan_tsv(path, "path", "tag_id", "box").collect(engine="streaming")
    if text.is_empty():
        raise InputError(f"{path}: has no rows")
    importing.join()
    with ThreadPoolExecutor(usable_cores()) as threads:  # the kernels and polars release the GIL
        return pl.concat(threads.map(_parse, text.iter_slices(_SLICE)))


def _parse(rows: pl.DataFrame) -> pl.DataFrame:
    from dafre_fast.tables.boxes import parse_boxes, parse_ids

    ids = parse_ids(_column_bytes(rows["path"]), rows.height)
    boxes = parse_boxes(_column_bytes(rows["box"]), rows.height)
    problem = (
        pl.when(pl.col("id") < 0)
        .then(pl.lit(RowProblem.BAD_PATH.value))
        .when(pl.col("tag_id").is_null())
        .then(pl.lit(RowProblem.BAD_TAG_ID.value))
        .when(~pl.col("valid"))
        .then(pl.lit(RowProblem.BAD_BOX_TEXT.value))
    )
    return rows.select(
        "line",
        pl.Series("id", ids),
        pl.col("tag_id").cast(pl.Int64, strict=False),
        *(pl.Series(name, boxes.xyxy[:, edge]) for edge, name in enumerate(EDGES)),
        pl.Series("confidence", boxes.confidence),
        pl.Series("valid", boxes.valid),
    ).select(pl.exclude("valid"), problem=problem)


def _column_bytes(column: pl.Series) -> bytes:
    return str(column.fill_null("").str.join("\n").item()).encode()
