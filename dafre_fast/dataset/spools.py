"""Spools: long files in which pictures lie behind each other on their way into shards.

Workers put what they make at the end of a spool and record where it begins (`Made.spool`), so that
a dataset in shards never consists of small files. Shards that are to be written anew may hold the
only copy of their pictures: they become spools, too, until all that is in them has its new place.
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
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.dataset.outputs import read_outputs
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.places import (
    places_in,
    places_in_shards,
    places_in_spools,
    recorded,
    within,
)
from dafre_fast.dataset.shard_order import shard_names

_FOLDER = f"{STATE}/spools"


class Spools:
    """Of a dataset that lies in shards, or is to."""

    def __init__(self, dataset: Path, shard_size: int) -> None:
        self.dataset, self._folder, self._shard_size = dataset, dataset / _FOLDER, shard_size
        self._run = f"{time.time_ns():x}"
        """No other run has spools of the same names: its records would speak of other bytes."""

    def assigned(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The spool of each image: those of a shard share one."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self.dataset / SHARDS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{error.filename}: {error.strerror}") from error
        shards = shard_names(asked, self._shard_size).str.replace("/", "-")
        return asked.with_columns(spool=pl.format(f"{self._folder}/{{}}-{self._run}", shards))

    def pictures(self, rows: pl.DataFrame) -> Pictures:
        """Of these rows of the manifest, wherever they lie now as they are recorded."""
        self._places = find(self.dataset, rows)
        return Pictures.at(self.dataset, read_outputs(self.dataset), self._places)

    def take(self, archive: Path) -> None:
        """Make a spool of a shard, and remove what else stands beside it. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        spool = self._folder / f"{archive.parent.name}-{archive.stem}-{self._run}.tar"
        with suppress(FileNotFoundError):  # the table first: at no moment is the archive without
            shutil.copyfile(archive.with_suffix(".parquet"), spool.with_suffix(".parquet"))
            archive.replace(spool)
        for ending in (".tar", ".json", ".parquet", "_stats.json"):
            archive.with_name(f"{archive.stem}{ending}").unlink(missing_ok=True)

    def needed_by(self, parts: Sequence[pl.DataFrame]) -> dict[Path, set[int]]:
        """Which of these parts (rows with `id`), by their numbers, are read from each spool."""
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
    """Of all pictures in spools and shards (`dataset.places`), of an image perhaps several; `made`
    are the last outcomes. Where a file is too short, nothing lies.
    """
    spools = places_in_spools(made, _FOLDER, outputs)
    retired = places_in(dataset, sorted((dataset / _FOLDER).glob("*.tar")), outputs)
    found = pl.concat([spools, retired, places_in_shards(dataset, outputs)])
    return within(found, {name: _size(dataset / name) for name in found["file"].unique()})


def find(dataset: Path, images: pl.DataFrame) -> pl.DataFrame:
    """Where each of these images (`dataset.places.recorded`) lies now, in a spool or a shard."""
    outputs = read_outputs(dataset)
    made = last_outcomes(dataset / STATE / LEDGER, "make", outputs)
    return recorded(all_places(dataset, made, outputs), images)


def clear_spools(dataset: Path) -> None:
    """Remove all that is left of them."""
    shutil.rmtree(dataset / _FOLDER, ignore_errors=True)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116  (a Path per file costs)
    except OSError:
        return -1
