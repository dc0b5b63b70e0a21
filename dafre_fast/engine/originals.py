"""Originals of a run: those that lie there already, and a source for the rest.

A table of originals has a row per image and, besides `key` and others, what is known beforehand
(`extension`, `known_bytes`, `md5`, `name`) and what lies there: `found`, a path, null for nothing,
and `found_bytes`, its size where that is not on record yet.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Outcome
from dafre_fast.core.layout import bucket
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.engine.input_files import files_in
from dafre_fast.engine.observers import Watch
from dafre_fast.sources.interface import Source, Take
from dafre_fast.tables.metadata import NOTHING

_NO_NAMES = pl.LazyFrame(schema={"key": pl.String(), "name": pl.String()})


class Originals(NamedTuple):
    """A source, the folder into which it fetches (None where it only finds), what is known of
    originals (`tables.metadata.Metadata.known`), and by which path the source has each, where that
    is known (`key`, `name`).
    """

    source: Source
    folder: Path | None
    known: pl.LazyFrame = NOTHING.known
    names: pl.LazyFrame = _NO_NAMES


async def bring(
    rows: pl.DataFrame, originals: Originals, ledger: Ledger, watch: Watch, take: Take
) -> None:
    """Give `take` a path or a reason for each row of a table of originals, and record what is not
    on record: first what lies there, then what is fetched.

    Raises OutputError and SourceError as sources do.
    """
    arrived = 0

    async def arrive(one: Sought, fetched: Fetched) -> None:
        nonlocal arrived
        arrived += 1
        if fetched.attempts or fetched.reason or fetched.bytes is not None:
            ledger.append(fetched)
        watch.tell(Outcome(fetched))
        began = time.monotonic()
        await take(one, fetched)
        watch.tally.waited_for_workers(time.monotonic() - began)

    there = rows.filter(pl.col("found").is_not_null())
    places = there.select("found", "found_bytes").iter_rows()
    for one, (path, size) in zip(sought(there), places, strict=True):
        await arrive(one, Fetched(key=one.key, path=path, bytes=size))
    if originals.folder:
        _make(originals.folder)
    async with originals.source as source:
        await source.fetch(sought(rows.filter(pl.col("found").is_null())), arrive)
    assert arrived == rows.height, "a source brings each to one outcome"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error


def sought(rows: pl.DataFrame) -> Iterator[Sought]:
    """The rows of a table of originals as records, one by one."""
    for key, extension, size, md5, name, row in rows.select(
        "key", "extension", "known_bytes", "md5", "name", "row"
    ).iter_rows():
        yield Sought(key=key, extension=extension, bytes=size, md5=md5, name=name, row=row)


def table_of_originals(
    rows: pl.DataFrame, fetched: pl.LazyFrame, originals: Originals
) -> pl.DataFrame:
    """Rows of `key` and others, `row` (which counts them), what is known and what lies there.

    A file of another size than was fetched, or else than is known, is not the one: a power cut may
    have left it, or a change of the original. `fetched` are the last outcomes.
    """
    recorded = fetched.filter(pl.col("reason").is_null()).select("key", recorded="bytes")
    joined = (
        rows.lazy()
        .with_row_index("row")
        .join(originals.known, on="key", how="left", maintain_order="left")
        .join(originals.names, on="key", how="left", maintain_order="left")
        .join(recorded, on="key", how="left", maintain_order="left")
        .join(_files(originals.folder), on="key", how="left", maintain_order="left")
        .collect()
    )
    size = pl.Series("size", map(_size, joined["found"]), dtype=pl.Int64)
    is_it = (pl.col("size") > 0) & pl.col("size").eq(pl.coalesce("recorded", "known_bytes", "size"))
    return joined.with_columns(size).with_columns(
        found=pl.when(is_it).then("found"),
        found_bytes=pl.when(is_it & pl.col("recorded").is_null()).then("size"),
    )


def _files(folder: Path | None) -> pl.LazyFrame:
    """`key` and `found`, the path, of every `{bucket}/{id}.{extension}` in a folder."""
    paths = dict[str, str]()
    for name in sorted(files_in(folder)) if folder else ():
        place, _, file = name.rpartition("/")
        key = file.partition(".")[0]
        if key.isdecimal() and key.isascii() and place == bucket(int(key)):
            paths.setdefault(key, f"{folder}/{name}")
    columns = {"key": [*paths.keys()], "found": [*paths.values()]}
    return pl.LazyFrame(columns, schema=dict.fromkeys(columns, pl.String()))


def _size(path: str | None) -> int | None:
    if path is not None:
        with suppress(OSError):
            return os.stat(path).st_size  # noqa: PTH116  (a Path per file costs)
    return None
