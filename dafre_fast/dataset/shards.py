"""Read WebDataset shards as `pack` writes them, by the indexes beside them.

A training job has many readers: ranks (processes, on several machines), each with workers. The
samples of all shards form one sequence. It is divided among the ranks, and the part of a rank among
its workers (`Division`).
"""

import io
import os
import random
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, TypeVar

import msgspec
import polars as pl

from dafre_fast.core.addresses import store_address
from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.dataset.chosen import ALL, Lists, read_chosen
from dafre_fast.dataset.object_store import open_store
from dafre_fast.dataset.stored_shards import find_stored
from dafre_fast.dataset.tar_files import Index, Place
from dafre_fast.tables.unreadable import reading

_Kind = TypeVar("_Kind")
_WINDOW_BYTES = 8 << 20


class Shard(NamedTuple):
    """One archive, the number of its samples, and the ending of the members of each output, such as
    `{"full": "jpg", "face": "face.jpg"}`.
    """

    path: Path
    samples: int
    members: dict[str, str]
    address: str | None = None
    """The address of the folder, if it lies in an object store."""
    chosen: tuple[int, ...] | None = None
    """The numbers of the samples that are read, None for all."""

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of the samples that are read."""
        return range(self.samples) if self.chosen is None else self.chosen

    def __str__(self) -> str:
        return f"{self.address}/{self.path.name}" if self.address else str(self.path)


class _Stats(msgspec.Struct):
    successes: int
    pictures: dict[str, str]


def find_shards(folder: Path) -> list[Shard]:
    """Return all shards of a folder, or of the address of one in an object store, in the order of
    their names. Raises InputError if there are none, or the counts beside one cannot be read.
    """
    address = store_address(folder)
    if address:
        found = find_stored(address)
    else:
        paths = sorted(folder.glob("*.tar"))
        found = {path.name: _read_file(_beside(path, "_stats.json")) for path in paths}
    if not found:
        raise InputError(f"{address or folder}: no shard is there")
    counts = {name: _decoded(folder / name, data, _Stats) for name, data in found.items()}
    return [
        Shard(folder / name, stats.successes, stats.pictures, address)
        for name, stats in counts.items()
    ]


def choose_samples(shards: Sequence[Shard], lists: Lists) -> list[Shard]:
    """Return the shards with the samples that lists choose, by the tables beside them.

    A list may name images of other splits. Raises InputError if a list or a table cannot be read,
    UsageError if no sample is left.
    """
    if lists == ALL:
        return [*shards]
    tables = [_samples_in(shard) for shard in shards]
    every = pl.concat(tables, how="diagonal_relaxed")
    stays = read_chosen(lists, every.lazy(), whole=False).stays
    found = [
        shard._replace(chosen=tuple(table.select(stays.arg_true()).to_series().to_list()))
        for shard, table in zip(shards, tables, strict=True)
    ]
    if not any(shard.chosen for shard in found):
        raise UsageError(
            f"{lists}: no sample of {shards[0].address or shards[0].path.parent} is left"
        )
    return found


def _samples_in(shard: Shard) -> pl.DataFrame:
    """Return `id` and, if the dataset has keys, `key` of the samples of a shard, in its order."""
    path = _beside(shard.path, ".parquet")
    try:
        data = open_store(shard.address).read(path.name) if shard.address else _read_file(path)
    except FileNotFoundError as error:
        raise InputError(str(error)) from error
    with reading(path):
        table = pl.read_parquet(io.BytesIO(data)).filter(status=SUCCESS)
    if table.height != shard.samples:
        raise InputError(
            f"{shard}: the table beside it has {table.height:,} samples, not {shard.samples:,}"
        )
    return table.select(name for name in ("id", "key") if name in table.columns)


Even = Literal["drop", "pad"] | None
"""A way to give all ranks the same number of samples."""


class Reader(NamedTuple):
    """One of the readers of a sequence: the worker with the number `worker`, from 0, of `workers`,
    in the rank with the number `rank`, from 0, of `ranks`.
    """

    rank: int = 0
    ranks: int = 1
    worker: int = 0
    workers: int = 1


class Division(NamedTuple):
    """The rules by which `samples` samples are divided among ranks and their workers.

    `even`: "drop" leaves out the last samples of the sequence, fewer than there are ranks, and
    "pad" repeats the first ones, so that all ranks have the same number. None: each sample is read
    exactly once, and some ranks have one more.

    `batch`: workers take batches of so many samples in turn, as a DataLoader asks them, so that
    only the last batch of a rank can be smaller. None: a worker takes one part of the sequence.
    """

    samples: int
    even: Even = None
    batch: int | None = None

    def of_rank(self, rank: int, ranks: int) -> range:
        """Return the places in the sequence that a rank takes. With "pad" they may lie beyond its
        end, and go on at its beginning.
        """
        if self.even is None:
            return range(self.samples * rank // ranks, self.samples * (rank + 1) // ranks)
        missing = ranks - 1 if self.even == "pad" else 0
        length = (self.samples + missing) // ranks
        return range(length * rank, length * (rank + 1))

    def of(self, reader: Reader) -> Iterator[int]:
        """Yield the places in the sequence that a reader takes, in its order."""
        own = self.of_rank(reader.rank, reader.ranks)
        for part in self._parts(own, reader.worker, reader.workers):
            for place in part:
                yield place % self.samples

    def _parts(self, own: range, worker: int, workers: int) -> Iterator[range]:
        if self.batch is None:
            yield own[len(own) * worker // workers : len(own) * (worker + 1) // workers]
            return
        for begin in range(worker * self.batch, len(own), workers * self.batch):
            yield own[begin : begin + self.batch]


class Order(NamedTuple):
    """The sequence of the samples of shards: one shard after the other, or, with a seed, shards and
    the samples of each in a random order that depends on the seed alone.
    """

    shards: Sequence[Shard]
    seed: str | None = None

    def at(self, places: Iterable[int]) -> Iterator[tuple[Shard, list[int]]]:
        """Yield the samples at these places of the sequence: a shard, and the numbers of samples in
        it, for each run of places in one shard.
        """
        shards = (
            self._random("").sample(self.shards, len(self.shards)) if self.seed else self.shards
        )
        begins = [*accumulate((len(shard.numbers) for shard in shards), initial=0)]
        for number, run in groupby(places, key=lambda place: bisect_right(begins, place) - 1):
            numbers = self._numbers(shards[number])
            yield shards[number], [numbers[place - begins[number]] for place in run]

    def _numbers(self, shard: Shard) -> Sequence[int]:
        if self.seed is None:
            return shard.numbers
        return self._random(shard.path.name).sample(shard.numbers, len(shard.numbers))

    def _random(self, of: str) -> random.Random:
        return random.Random(f"{self.seed} {of}")  # noqa: S311  (not a secret)


Sample = tuple[str, dict[str, Place]]
"""The key of a sample, and the places of its members by their endings."""


def read_samples(shard: Shard, numbers: Sequence[int]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield samples of a shard in the order of `numbers`: the key, and the bytes of its members by
    their endings (`jpg`, `cls`). Raises InputError if the shard does not match its index, or cannot
    be read.
    """
    if shard.address:
        yield from _read_stored(shard, shard.address, numbers)
        return
    index = _decoded(shard, _read_file(_beside(shard.path, ".json")), Index)
    samples = _samples(shard, index)
    yield from _read_archive(shard, shard.path, index.filesize, [samples[one] for one in numbers])


def _read_archive(
    shard: Shard, path: Path, size: int, samples: Iterable[Sample]
) -> Iterator[tuple[str, dict[str, bytes]]]:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{shard}: {error.strerror}") from error
    try:
        if os.fstat(file).st_size != size:
            raise InputError(f"{shard}: its index is that of an archive of another size")
        for key, members in samples:
            yield key, {name: os.pread(file, at.size, at.offset) for name, at in members.items()}
    finally:
        os.close(file)


def _read_stored(
    shard: Shard, address: str, numbers: Sequence[int]
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Read samples of a shard in a store: a few megabytes by one request, or, if most of them are
    wanted in another order than that of the shard, by way of a temporary copy.
    """
    store, name = open_store(address), shard.path.name
    try:
        index = _decoded(shard, store.read(_beside(shard.path, ".json").name), Index)
        every = _samples(shard, index)
        samples = [every[one] for one in numbers]
        if store.look(name).bytes != index.filesize:
            raise InputError(f"{shard}: its index is that of an archive of another size")
        if len(samples) * 2 > len(every) and sorted(numbers) != [*numbers]:
            with TemporaryDirectory(prefix="dafre_fast-") as folder:
                store.fetch(name, copy := Path(folder) / name)
                yield from _read_archive(shard, copy, index.filesize, samples)
            return
        for window in _windows(samples):
            spans = [_span(members) for _, members in window]
            for (key, members), (begin, _), data in zip(
                window, spans, store.read_spans(name, spans), strict=True
            ):
                view = {one: (at.offset - begin, at.size) for one, at in members.items()}
                yield key, {one: data[at : at + length] for one, (at, length) in view.items()}
    except FileNotFoundError as error:
        raise InputError(str(error)) from error


def _windows(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Cut samples into runs of up to `_WINDOW_BYTES`, but at least one."""
    window, left = list[Sample](), _WINDOW_BYTES
    for sample in samples:
        _, size = _span(sample[1])
        if window and size > left:
            yield window
            window, left = [], _WINDOW_BYTES
        window.append(sample)
        left -= size
    if window:
        yield window


def _span(members: dict[str, Place]) -> tuple[int, int]:
    """Return the first byte of a sample, and its size with all between its members."""
    begin = min(at.offset for at in members.values())
    return begin, max(at.offset + at.size for at in members.values()) - begin


def _samples(shard: Shard, index: Index) -> list[Sample]:
    samples = dict[str, dict[str, Place]]()
    for name, place in index.files.items():
        key, _, rest = name.partition(".")
        samples.setdefault(key, {})[rest] = place
    if len(samples) != shard.samples:
        raise InputError(f"{shard}: {len(samples):,} samples, not {shard.samples:,}")
    return [*samples.items()]


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.stem}{ending}")


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def _decoded(shard: Shard | Path | str, data: bytes, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{shard}: what is beside it is damaged: {error}") from error
