"""Read WebDataset shards as `pack` writes them, by the indexes beside them.

A training job has many readers: processes on several machines, each with workers. The samples of
all shards form one sequence, and each reader takes its own contiguous part of it. Their lengths
differ by one sample at most, and every sample is read exactly once.
"""

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from dafre_fast.core.errors import InputError
from dafre_fast.dataset.tar_files import Index, Place

_Kind = TypeVar("_Kind")


class Shard(NamedTuple):
    """One archive, the number of its samples, and the ending of the members of each output, such as
    `{"full": "jpg", "face": "face.jpg"}`.
    """

    path: Path
    samples: int
    members: dict[str, str]


class _Stats(msgspec.Struct):
    successes: int
    pictures: dict[str, str]


def find_shards(folder: Path) -> list[Shard]:
    """Return all shards of a folder in the order of their names. Raises InputError if there are
    none, or the counts beside one cannot be read.
    """
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise InputError(f"{folder}: no shard is there")
    counts = (_read(_beside(path, "_stats.json"), _Stats) for path in paths)
    return [
        Shard(path, stats.successes, stats.pictures)
        for path, stats in zip(paths, counts, strict=True)
    ]


def mixed(shards: Iterable[Shard], seed: str) -> list[Shard]:
    """Return the shards in a random order that depends on the seed alone."""
    shuffled = list(shards)
    random.Random(seed).shuffle(shuffled)  # noqa: S311  (not a secret)
    return shuffled


def stretch(shards: Iterable[Shard], place: int, places: int) -> Iterator[tuple[Shard, range]]:
    """Yield what the reader with the number `place`, from 0, of `places` readers takes: shards, and
    the numbers of samples in each.
    """
    shards = [*shards]
    total = sum(shard.samples for shard in shards)
    begin, end = total * place // places, total * (place + 1) // places
    at = 0
    for shard in shards:
        first, last = max(begin - at, 0), min(end - at, shard.samples)
        if first < last:
            yield shard, range(first, last)
        at += shard.samples


def read_samples(shard: Shard, numbers: Sequence[int]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield samples of a shard in the order of `numbers`: the key, and the bytes of its members by
    their endings (`jpg`, `cls`). Raises InputError if the shard does not match its index.
    """
    index = _read(_beside(shard.path, ".json"), Index)
    samples = _samples(index)
    if len(samples) != shard.samples:
        raise InputError(f"{shard.path}: {len(samples):,} samples, not {shard.samples:,}")
    try:
        file = os.open(shard.path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{shard.path}: {error.strerror}") from error
    try:
        if os.fstat(file).st_size != index.filesize:
            raise InputError(f"{shard.path}: its index is that of an archive of another size")
        for number in numbers:
            key, members = samples[number]
            yield key, {name: os.pread(file, at.size, at.offset) for name, at in members.items()}
    finally:
        os.close(file)


def _samples(index: Index) -> list[tuple[str, dict[str, Place]]]:
    samples = dict[str, dict[str, Place]]()
    for name, place in index.files.items():
        key, _, rest = name.partition(".")
        samples.setdefault(key, {})[rest] = place
    return [*samples.items()]


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.stem}{ending}")


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
