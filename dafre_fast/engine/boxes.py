"""Record the head box of every crop, so that a run with other boxes does not keep old crops."""

from pathlib import Path

import polars as pl

from dafre_fast.core.errors import UsageError
from dafre_fast.core.layout import BOXES, STATE
from dafre_fast.core.records import Box
from dafre_fast.tables.unreadable import reading
from dafre_fast.tables.writing import write_parquet


def record_boxes(output: Path, asked: pl.DataFrame, *, resume: bool) -> None:
    """Record the boxes of `asked` (`engine.plan`) beside those of earlier runs, or, without
    `resume`, in place of them.

    Raises UsageError if an earlier run was asked for any of them with another box: the ledger has
    outcomes by key alone. Raises InputError if the record is damaged, OutputError if it cannot be
    written.
    """
    path, boxes = output / STATE / BOXES, asked.select("key", *Box._fields)
    if resume and path.exists():
        with reading(path), path.open("rb") as file:
            known = pl.read_parquet(file).select(boxes.columns)
        both = boxes.join(known, on="key", how="inner", suffix="_known")
        other = both.filter(pl.any_horizontal(map(_differs, Box._fields)))
        if other.height:
            crops = "1 crop has" if other.height == 1 else f"{other.height:,} crops have"
            raise UsageError(
                f"{output}: {crops} another box than in an earlier run, such as"
                f" {other['key'][0]}: --no-resume makes all anew in this place, another --output"
                " keeps both"
            )
        boxes = pl.concat([boxes, known.join(boxes, on="key", how="anti")])
    write_parquet(boxes, path)


def _differs(edge: str) -> pl.Expr:
    known = pl.col(f"{edge}_known").fill_nan(None)
    return pl.col(edge).fill_nan(None).ne_missing(known)
