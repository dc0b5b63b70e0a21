"""Spools: long files that hold pictures one behind the other until they are written into shards.

Workers append what they make to a spool and record where it begins (`Made.spool`), so that a
dataset in shards never consists of small files. Shards that have to be rewritten may hold the only
copy of their pictures: they are kept as spools until all their pictures are in new shards.
"""

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from dafre_fast.core.errors import OutputError
from dafre_fast.core.layout import SHARDS, STATE
from dafre_fast.core.parts import Part
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.parts import spools_folder
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.places import (
    places_in,
    places_in_shards,
    places_in_spools,
    recorded,
    within,
)
from dafre_fast.dataset.shard_order import shard_names
from dafre_fast.dataset.stored import archives_of, read_stored

_FOLDER = f"{STATE}/spools"


class Spools:
    """The spools of a dataset whose images lie in shards, or are to; or of one part, which has its
    own.
    """

    def __init__(self, dataset: Path, shard_size: int, part: Part | None = None) -> None:
        self.dataset, self._shard_size = dataset, shard_size
        self._folder = spools_folder(dataset, part)
        self._run = f"{time.time_ns():x}" + (f"-{part.folder}" if part else "")
        """Part of the names of spools, so that no run appends to those of an earlier one."""

    def assigned(self, asked: pl.DataFrame) -> pl.DataFrame:
        """Assign a spool to each requested image; images of one shard share one. Raises
        OutputError if the folder cannot be created.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self.dataset / SHARDS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{error.filename}: {error.strerror}") from error
        shards = shard_names(asked, self._shard_size).str.replace("/", "-")
        return asked.with_columns(spool=pl.format(f"{self._folder}/{{}}-{self._run}", shards))

    def places(self, made: pl.LazyFrame, outputs: Sequence[Output]) -> pl.DataFrame:
        """Return `all_places` for these spools and those of the whole dataset."""
        own = str(self._folder.relative_to(self.dataset))
        found = [all_places(self.dataset, made, outputs)]
        if own != _FOLDER:
            spools = places_in_spools(made, own, outputs)
            found = [_that_stand(self.dataset, spools), *found]
        return pl.concat(found)

    def pictures(self, rows: pl.DataFrame) -> Pictures:
        """Find the pictures of these rows of the manifest, in spools or shards."""
        self._places = find(self.dataset, rows)
        return Pictures.at(self.dataset, read_outputs(self.dataset), self._places)

    def take(self, archive: Path) -> None:
        """Turn a shard into a spool, and remove the files beside it. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        spool = self._folder / f"{archive.parent.name}-{archive.stem}-{self._run}.tar"
        with suppress(
            FileNotFoundError
        ):  # the table first, so that the archive is never without it
            shutil.copyfile(archive.with_suffix(".parquet"), spool.with_suffix(".parquet"))
            self._move(archive, spool)
        for ending in (".tar", ".json", ".parquet", "_stats.json"):
            archive.with_name(f"{archive.stem}{ending}").unlink(missing_ok=True)

    def _move(self, archive: Path, spool: Path) -> None:
        """Move an archive, or fetch it from the store that it lies in."""
        stored = None if archive.exists() else read_stored(self.dataset / SHARDS)
        if stored:
            name = str(archive.relative_to(self.dataset / SHARDS))
            ObjectStore(stored.address).fetch(name, spool)
        else:
            archive.replace(spool)

    def needed_by(self, parts: Sequence[pl.DataFrame]) -> dict[Path, set[int]]:
        """Return for each spool the numbers of the parts that are read from it. A part is a table
        of rows with `id`; call `pictures` first.
        """
        numbered = [
            rows.select("id", part=pl.lit(number, pl.Int64)) for number, rows in enumerate(parts)
        ]
        of_parts = pl.concat([pl.DataFrame(schema=_OF_PART), *numbered])
        users = (
            self._places.join(of_parts, on="id")
            .filter(pl.col("file").str.starts_with(f"{_FOLDER}/"))
            .group_by("file")
            .agg(pl.col("part").unique())
        )
        return {self.dataset / file: {*numbers} for file, numbers in users.iter_rows()}


_OF_PART = {"id": pl.Int64(), "part": pl.Int64()}


def all_places(dataset: Path, made: pl.LazyFrame, outputs: Sequence[Output]) -> pl.DataFrame:
    """Return the places (`dataset.places`) of all pictures in spools and shards; an image may have
    several. Places behind the end of a file are left out. `made` are the last outcomes.
    """
    spools = places_in_spools(made, _FOLDER, outputs)
    retired = places_in(dataset, sorted((dataset / _FOLDER).glob("*.tar")), outputs)
    return _that_stand(dataset, pl.concat([spools, retired, places_in_shards(dataset, outputs)]))


def _that_stand(dataset: Path, found: pl.DataFrame) -> pl.DataFrame:
    there = archives_of(dataset)
    sizes = {name: _size(dataset / name, there.get(name, -1)) for name in found["file"].unique()}
    return within(found, sizes)


def find(dataset: Path, images: pl.DataFrame) -> pl.DataFrame:
    """Return one place of each of these images (`dataset.places.recorded`), in spool or shard."""
    outputs = read_outputs(dataset)
    made = last_outcomes(dataset / STATE / LEDGER, "make", outputs)
    return recorded(all_places(dataset, made, outputs), images)


def clear_spools(dataset: Path) -> None:
    """Remove all spools."""
    shutil.rmtree(dataset / _FOLDER, ignore_errors=True)


def _size(path: Path, in_store: int) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a Path per file costs)
    except OSError:
        return in_store
