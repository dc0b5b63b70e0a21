"""The parts of a pack, and what a format of packs has to provide."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from dafre_fast.core.atomic import File, digest
from dafre_fast.core.errors import OutputError
from dafre_fast.core.findings import Flaw
from dafre_fast.core.settings.images import Output
from dafre_fast.core.splits import SPLITS
from dafre_fast.dataset.samples import Damaged, Sample
from dafre_fast.dataset.shard_order import Numbers
from dafre_fast.pack.rows import Packable
from dafre_fast.pack.settings import PackRun

REVISION = 3
"""Raise it with any change of code that changes the bytes of a pack."""


class Reading:
    """The samples of a part, iterated once; `damaged` collects those left out so far.

    `advance` is called for each image, with its flaw if it is damaged.
    """

    def __init__(
        self, samples: Iterable[Sample | Damaged], advance: Callable[[Flaw | None], None]
    ) -> None:
        self._samples, self._advance = samples, advance
        self.damaged: list[Damaged] = []

    def __iter__(self) -> Iterator[Sample]:
        for sample in self._samples:
            if isinstance(sample, Damaged):
                self.damaged.append(sample)
                self._advance(sample.flaw)
            else:
                yield sample
                self._advance(None)


class Part(NamedTuple):
    """A main file of a pack and the files beside it."""

    name: str
    """Path in the pack, without extension."""
    rows: pl.DataFrame
    outputs: tuple[Output, ...]
    """Rows and outputs that are read to write it."""
    contents: str
    """SHA-256 of everything that decides its bytes."""
    write: Callable[[Path, Reading], dict[str, File]]
    """Writes the part below a path without extension; returns its files by extension, the main one
    first. It is sent to worker processes, so it can be pickled.
    """


class Format(NamedTuple):
    """A format of packs. A new one is a module with a `FORMAT`, and a row in `formats.choose`."""

    parts: Callable[[PackRun, Packable], list[Part]]
    """Plans the parts of a pack, in order."""
    describes_images: bool = True
    """True if it holds the columns of the manifest and the tags, and not files alone."""
    holds_labels: bool = False
    """True if it holds the label files. They name every image, so that none can be excluded."""
    in_order: bool = False
    """True if images keep the order of the manifest, whatever their split."""
    columns: tuple[str, ...] = ()
    """Columns of the manifest that it needs besides those that describe images."""
    card: Callable[[PackRun, Packable], str] | None = None
    """Returns the text of its README.md, if it has one."""


class ShardRows(NamedTuple):
    """Rows of one split that go into one shard: `number` from 0, of `shards` of the split."""

    split: str
    number: int
    shards: int
    rows: pl.DataFrame


def cut_into_shards(
    rows: pl.DataFrame, shard_size: int, numbers: Numbers | None = None
) -> Iterator[ShardRows]:
    """Cut rows, which are ordered by split, into shards of up to `shard_size` rows. These have the
    given numbers if the rows are those of some shards alone.
    """
    begin = 0
    for split in SPLITS:
        of_split = rows.slice(begin, rows.filter(split=split).height)
        shards = -(-of_split.height // shard_size)
        own_numbers = range(shards) if numbers is None else numbers.get(split, ())
        for number, own in zip(own_numbers, of_split.iter_slices(shard_size), strict=True):
            yield ShardRows(split, number, shards, own)
        begin += of_split.height


def beside(path: Path, ending: str) -> Path:
    """Append an ending to a path; `with_suffix` would cut off a part of a name with a dot."""
    return path.with_name(f"{path.name}{ending}")


def digests(path: Path, *endings: str) -> dict[str, File]:
    """Return size and SHA-256 of the files with these endings. Raises OutputError."""
    try:
        return {ending: digest(beside(path, ending)) for ending in endings}
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
