"""What is asked for and what of it is left to do: tables in, tables out, nothing is done yet.

A table of what is asked for has a row per image and the columns `key`, `original` (a path, null
where a source has to find it), `full` and `face` (the files to write, null for none), `spool` (a
file at whose end both are put instead, or null), and the head box as `left`, `top`, `right`,
`bottom`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import starmap
from os.path import splitext
from pathlib import Path

import polars as pl

from dafre_fast.core.records import Box, Wanted
from dafre_fast.dataset.places import recorded

_TEXT = pl.lit(None, dtype=pl.String)


def ask_catalogue(
    kept: pl.DataFrame, *, full: Path | None = None, faces: Path | None = None
) -> pl.DataFrame:
    """All columns of the catalogue's rows, and outputs `{tree}/{bucket}/{id}.jpg`."""
    return kept.with_columns(
        key=pl.col("id").cast(pl.String),
        original=_TEXT,
        full=pl.lit(f"{full}/") + pl.col("path") if full else _TEXT,
        face=pl.lit(f"{faces}/") + pl.col("path") if faces else _TEXT,
        spool=_TEXT,
    )


def ask_files(files: Iterable[tuple[str, str]], full: Path) -> pl.DataFrame:
    """A full image per file, given as (path in the tree, path to read); column `path` is the
    former, and what is made of it has its `jpg_names`.
    """
    keys, originals = zip(*sorted(files), strict=True)
    outputs = [f"{full}/{name}" for name in jpg_names(keys)]
    columns = {"key": keys, "path": keys, "original": originals, "full": outputs}
    asked = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    nothing = {edge: pl.lit(None, dtype=pl.Float32) for edge in Box._fields}
    return asked.with_columns(face=_TEXT, spool=_TEXT, **nothing)


def remaining(
    asked: pl.DataFrame, standing: pl.LazyFrame, size_of: Callable[[str], int | None]
) -> pl.DataFrame:
    """Rows without an outcome that stands, or with one whose outputs are gone or not of the size
    that was written. `size_of` tells the bytes of a file, None where there is none.
    """
    outcome = standing.select("key", "bytes", "face_bytes", success=pl.col("reason").is_null())
    rows = asked.lazy().join(outcome, on="key", how="left", maintain_order="left").collect()
    columns = rows.select("success", "full", "bytes", "face", "face_bytes")
    there = [
        success is not None
        and _stands(success, full, full_bytes, size_of)
        and _stands(success, face, face_bytes, size_of)
        for success, full, full_bytes, face, face_bytes in columns.iter_rows()
    ]
    left = rows.filter(~pl.Series(there, dtype=pl.Boolean))
    return left.drop("success", "bytes", "face_bytes")


def remaining_of_spools(
    asked: pl.DataFrame, standing: pl.LazyFrame, places: pl.DataFrame
) -> pl.DataFrame:
    """The same where images lie in spools and shards: rows whose outputs lie at none of `places`
    (`dataset.places`) as they were written.
    """
    made = standing.filter(pl.col("reason").is_null()).select(
        "key", "sha256", "face_sha256", id=pl.col("key").cast(pl.Int64)
    )
    there = recorded(places, made.collect()).lazy().select(pl.col("id").cast(pl.String))
    refused = standing.filter(pl.col("reason").is_not_null()).select("key")
    left = asked.lazy().join(refused, on="key", how="anti", maintain_order="left")
    return left.join(
        there, left_on="key", right_on="id", how="anti", maintain_order="left"
    ).collect()


def _stands(
    success: bool, path: str | None, written: int | None, size_of: Callable[[str], int | None]
) -> bool:
    """True where an output is as it was written, is not wanted, or was refused."""
    if path is None or (written is None and not success):
        return True
    return size_of(path) == written


def wanted(rows: pl.DataFrame) -> Iterator[Wanted]:
    """The rows as records, one by one."""
    return starmap(_wanted, rows.select(_COLUMNS).iter_rows())


def wanted_at(rows: pl.DataFrame) -> Callable[[int], Wanted]:
    """Gives any of them by its place; none is kept."""
    columns = rows.select(_COLUMNS)  # once: for one row that takes thirty times as long as all else
    return lambda row: _wanted(*columns.row(row))


_COLUMNS = ("key", "original", "full", "face", "spool", *Box._fields)


def _wanted(
    key: str,
    original: str | None,
    full: str | None,
    face: str | None,
    spool: str | None,
    *edges: float,
) -> Wanted:
    box = None if edges[0] is None else Box(*edges)
    return Wanted(key=key, original=original, full=full, face=face, box=box, spool=spool)


def jpg_names(keys: Sequence[str]) -> list[str]:
    """What is made of each original in a tree, given in ascending order: `0123/5.png` becomes
    `0123/5.jpg`; where `0123/5.jpg` is an original too, it becomes `0123/5.png.jpg`, so that no
    output takes another's place.
    """
    taken = {key for key in keys if key.endswith(".jpg")}
    names = []
    for key in keys:
        name = key
        if not key.endswith(".jpg"):
            name = splitext(key)[0] + ".jpg"  # noqa: PTH122  (a Path per file costs)
            name = f"{key}.jpg" if name in taken else name
            while name in taken:
                name += ".jpg"
            taken.add(name)
        names.append(name)
    return names
