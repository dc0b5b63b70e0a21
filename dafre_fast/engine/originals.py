"""Originals of a run: those that are on the disk already, and a source for the others.

A table of originals has a row per image. Besides `key` and others its columns are `row` (uint32,
from 0); what is known beforehand: `extension`, `known_bytes`, `md5`, `name`; and what is on the
disk: `found`, the path of the file or null, `found_bytes`, its size if the ledger does not have
it yet, and `recorded_source`, the fingerprint of the source that gave it.
"""

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Outcome
from dafre_fast.core.layout import bucket
from dafre_fast.core.paths import from_text, to_text
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.walk import Walk
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.outcomes import gave_before
from dafre_fast.engine.first_answers import FirstAnswers
from dafre_fast.engine.observers import Watch
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.candidates import begins_as_image, choose_file
from dafre_fast.sources.interface import Source, Take
from dafre_fast.tables.metadata import NOTHING

_NO_NAMES = pl.LazyFrame(schema={"key": pl.String(), "name": pl.String()})


class Originals(NamedTuple):
    """The source of the originals of a run, and what is known of them."""

    source: Source
    folder: Path | None
    """The folder into which the source fetches, None if it only finds files."""
    known: pl.LazyFrame = NOTHING.known
    """Columns of `tables.metadata.Metadata.known`."""
    names: pl.LazyFrame = _NO_NAMES
    """Columns `key` and `name`, the path of an original in the source."""
    identity: str = ""
    """The fingerprint of the source."""
    give_up: int = 0
    """So many first answers that are refusals of one kind end the run; 0: none do."""
    gave: bool = False
    """Whether the source gave an original in an earlier run."""
    keep: bool = True
    """Whether originals that were fetched stay when nothing is left to be made of them."""

    def with_record(self, fetched: pl.LazyFrame) -> Self:
        """Return the originals with what the last outcomes of fetching say of their source."""
        return self._replace(gave=gave_before(fetched, self.identity))

    def may_remove(self, fetched: Fetched) -> bool:
        """Return True for a file that a source fetched into the folder, unless originals stay."""
        if self.keep or self.folder is None or fetched.source is None:
            return False
        return (fetched.path or "").startswith(f"{to_text(str(self.folder))}/")


async def fetch_originals(
    rows: pl.DataFrame,
    originals: Originals,
    ledger: Ledger,
    watch: Watch,
    take: Take,
    settle: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Give `take` a path or a reason for each row of a table of originals: first for those on the
    disk, then for those the source fetches. Append to the ledger what it does not have yet. Before
    an outcome is replaced by a second one, wait for `settle`: what was made of the first is over.

    Raises OutputError and SourceError as sources do, and SourceError if the first answers say that
    the source should not be asked on.
    """
    arrived = set[int]()
    # To look into a folder costs nothing, so that one is searched to the end.
    give_up = originals.give_up if originals.folder else 0
    first_answers = FirstAnswers(give_up, gave=originals.gave)

    async def arrive(one: Sought, fetched: Fetched) -> None:
        if one.row in arrived and settle:
            await settle()
        arrived.add(one.row)
        if fetched.attempts or fetched.reason or fetched.bytes is not None:
            ledger.append(fetched)
        watch.tell(Outcome(fetched))
        began = time.monotonic()
        await take(one, fetched)
        watch.tally.waited_for_workers(time.monotonic() - began)

    async def answer(one: Sought, fetched: Fetched) -> None:
        await arrive(one, replace(fetched, source=originals.identity))
        first_answers.judge(fetched)

    there = rows.filter(pl.col("found").is_not_null())
    places = there.select("found", "found_bytes", "recorded_source").iter_rows()
    for one, (path, size, source) in zip(sought(there), places, strict=True):
        await arrive(one, Fetched(key=one.key, path=path, bytes=size, source=source))
    if originals.folder:
        _make(originals.folder)
    async with originals.source as source:
        await source.fetch(sought(rows.filter(pl.col("found").is_null())), answer)
    assert len(arrived) == rows.height, "a source gives each original an outcome"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error


def sought(rows: pl.DataFrame) -> Iterator[Sought]:
    """Yield the rows of a table of originals as records."""
    for key, extension, size, md5, name, row in rows.select(
        "key", "extension", "known_bytes", "md5", "name", "row"
    ).iter_rows():
        yield Sought(key=key, extension=extension, bytes=size, md5=md5, name=name, row=row)


def table_of_originals(
    rows: pl.DataFrame, fetched: pl.LazyFrame, originals: Originals
) -> pl.DataFrame:
    """Return the table of originals for `rows`, which have `key` and others.

    `fetched` are the last outcomes of fetching. A file counts only if it has the size that was
    fetched or, if none is on record, the size that is known; an empty one never counts. A power
    cut may have left another, or the original may have changed.
    """
    recorded = fetched.filter(pl.col("reason").is_null()).select(
        "key", recorded="bytes", recorded_path="path", recorded_source="source"
    )
    joined = (
        rows.lazy()
        .with_row_index("row")
        .join(originals.known, on="key", how="left", maintain_order="left")
        .join(originals.names, on="key", how="left", maintain_order="left")
        .join(recorded, on="key", how="left", maintain_order="left")
        .join(_files(originals.folder), on="key", how="left", maintain_order="left")
        .collect()
    )
    joined = joined.with_columns(found=_chosen(joined, originals.folder))
    size = pl.Series("size", map(_size, joined["found"]), dtype=pl.Int64)
    is_it = (pl.col("size") > 0) & pl.col("size").eq(pl.coalesce("recorded", "known_bytes", "size"))
    return joined.with_columns(size).with_columns(
        found=pl.when(is_it).then("found"),
        found_bytes=pl.when(is_it & pl.col("recorded").is_null()).then("size"),
    )


def _files(folder: Path | None) -> pl.LazyFrame:
    """Return `key` and `files`, the names as text of all `{bucket}/{id}.…` in a folder, in the
    order of the alphabet and joined by `/`.
    """
    files = dict[str, str]()
    for name in sorted(Walk(folder)) if folder else ():
        place, _, file = name.rpartition("/")
        key = file.partition(".")[0]
        if key.isdecimal() and key.isascii() and place == bucket(int(key)):
            file = to_text(file)
            files[key] = f"{files[key]}/{file}" if key in files else file
    columns = {"key": [*files.keys()], "files": [*files.values()]}
    return pl.LazyFrame(columns, schema=dict.fromkeys(columns, pl.String()))


def _chosen(rows: pl.DataFrame, folder: Path | None) -> pl.Series:
    """Return the path as text of the original of each row, null if it has none on the disk."""
    needed = rows.select("key", "files", "recorded_path", "extension")
    paths = (
        None if files is None else _choose(folder, key, files.split("/"), path, extension)
        for key, files, path, extension in needed.iter_rows()
    )
    return pl.Series("found", paths, dtype=pl.String)


def _choose(
    folder: Path | None, key: str, files: list[str], recorded: str | None, extension: str | None
) -> str | None:
    """Return the path of an original among files in its bucket (`sources.candidates`)."""
    place = f"{to_text(str(folder))}/{bucket(int(key))}"
    wanted = [recorded.rpartition("/")[2]] if recorded else []
    wanted += [f"{key}.{extension}"] if extension else []
    choice = choose_file(
        files, wanted, lambda name: begins_as_image(from_text(f"{place}/{name}"), sniff)
    )
    return choice.name and f"{place}/{choice.name}"


def _size(path: str | None) -> int | None:
    if path is not None:
        with suppress(OSError):
            return os.stat(from_text(path)).st_size  # noqa: PTH116  (a Path per file costs)
    return None
