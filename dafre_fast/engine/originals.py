"""Originals of a run: those that lie there already, and a source for the rest."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.model.records import Fetched, Sought
from dafre_fast.sources.source import Source, Take
from dafre_fast.sources.tree import Tree


class Originals(NamedTuple):
    """A source, and the folder into which it fetches; None where it only finds."""

    source: Source
    folder: Path | None


class Lying(NamedTuple):
    """One that was sought, and the file under its final name, if there is one."""

    sought: Sought
    path: Path | None


async def bring(rows: pl.DataFrame, originals: Originals, take: Take) -> None:
    """Give `take` a path or a reason for each row: first what lies there, then what is fetched."""
    source, folder = originals
    there = Tree(folder) if folder and folder.is_dir() else None
    for one, path in _lying(rows, there):
        if path is not None:
            await take(one, Fetched(key=one.key, path=str(path)))
    async with source:
        await source.fetch((one for one, path in _lying(rows, there) if path is None), take)


def _lying(rows: pl.DataFrame, there: Tree | None) -> Iterator[Lying]:
    """A file of another size than was fetched is not the one: a power cut may have left it."""
    sizes: Iterable[int | None] = rows["fetched_bytes"]
    for one, size in zip(sought(rows), sizes, strict=True):
        path = there.find(one.key) if there else None
        if path and size is not None and path.stat().st_size != size:
            path = None
        yield Lying(one, path)


def sought(rows: pl.DataFrame) -> Iterator[Sought]:
    """The rows as records, one by one; `row` counts them."""
    known = rows.select("key", "extension", "known_bytes", "md5")
    for row, (key, extension, size, md5) in enumerate(known.iter_rows()):
        yield Sought(key=key, extension=extension, bytes=size, md5=md5, row=row)


def with_known(
    rows: pl.DataFrame, fetched: pl.LazyFrame, metadata: pl.LazyFrame | None
) -> pl.DataFrame:
    """Rows of `key` and others, and what is known of their originals: `extension`, `known_bytes`
    and `md5` from metadata, `fetched_bytes` from the ledger.
    """
    if metadata is None:
        text = dict.fromkeys(("key", "extension", "md5"), pl.String())
        metadata = pl.LazyFrame(schema={**text, "known_bytes": pl.Int64()})
    sizes = fetched.select("key", fetched_bytes="bytes")
    return (
        rows.lazy()
        .join(metadata, on="key", how="left", maintain_order="left")
        .join(sizes, on="key", how="left", maintain_order="left")
        .collect()
    )
