"""Datasets for PyTorch: `Images` by index from a dataset folder, `Shards` in a stream.

Needs PyTorch: `pip install 'dafre_fast[torch]'`.

    from torch.utils.data import DataLoader
    from dafre_fast.torch import Images, Shards, Square

    train = Images("dataset", "train", transform=Square(256))
    for batch in DataLoader(train, batch_size=64, shuffle=True, num_workers=8):
        batch["full"], batch["class_id"]     # uint8 (64, 3, 256, 256), int64 (64,)

An item is a dictionary: `id` and `class_id` (int), `full` or `face` or both, and, if tag names are
given, `tags` (bool tensor, one element per name). A picture is a uint8 tensor (3, height, width) in
RGB, or the transform's result.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Event, Notice, Tell
from dafre_fast.dataset.chosen import Lists
from dafre_fast.dataset.items import Item, Items, Making, Square, Stream, read_tag_names
from dafre_fast.dataset.shards import Even, Reader
from dafre_fast.pixels.rasters import Pixels
from dafre_fast.pixels.tensors import planar

try:
    import torch
    import torch.distributed
    from torch import Tensor
    from torch.utils.data import Dataset, IterableDataset, get_worker_info
except ModuleNotFoundError as error:
    message = "PyTorch is not installed: pip install 'dafre_fast[torch]'"
    raise ModuleNotFoundError(message, name="torch") from error

__all__ = ["Images", "Shards", "Square", "read_tag_names"]

Transform = Callable[[Pixels], Any]


class ToTensor:
    """Transform pixels (height, width, 3), and turn them into a tensor (3, height, width).

    A transform that returns a tensor has the last word.
    """

    def __init__(self, transform: Transform | None) -> None:
        self._transform = transform
        self.least_side: int | None = getattr(transform, "least_side", None)

    def __call__(self, pixels: Pixels) -> Any:
        made = self._transform(pixels) if self._transform else pixels
        if isinstance(made, Tensor):
            return made
        if made.dtype == np.uint8 and made.ndim == 3 and made.shape[2] == 3:
            return torch.from_numpy(planar(made))
        return torch.from_numpy(made).permute(2, 0, 1).contiguous()


def _lists(only: str | Path | None, exclude: str | Path | None, mark: str | Sequence[str]) -> Lists:
    marks = (mark,) if isinstance(mark, str) else tuple(mark)
    return Lists(Path(only) if only else None, Path(exclude) if exclude else None, marks)


def _warn(event: Event) -> None:
    if isinstance(event, Notice):
        warnings.warn(event.text, stacklevel=2)


class Images(Dataset[Item]):
    """The images of a split that were made, by index, for a DataLoader that shuffles.

    Args:
        folder: The dataset, as `full` leaves it.
        split: train, val or test; None for all three.
        images: `full`, `faces` or `both`.
        transform: A function of pixels (height, width, 3), RGB, uint8.
        tag_names: The tags in `tags`, in this order (`read_tag_names` reads them).
        only: A list of the images to take, no others: ids or keys as CSV, Parquet or plain lines,
            such as exported marks of the gallery.
        exclude: A list of images to leave out, such as `audit/exclude.csv`.
        mark: The marks that count in these lists, where they have a column `mark`; all by default.
        tell: Is called with what is to be said, in place of warnings.

    `class_names`, `ids` and `class_ids` describe all images that are taken, and `excluded` counts
    those that lists leave out. A warning says how many a list names that the dataset does not have.
    Raises InputError if the dataset or a list cannot be read, UsageError if no image is left.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str | None = "train",
        *,
        images: str = "full",
        transform: Transform | None = None,
        tag_names: Sequence[str] | None = None,
        only: str | Path | None = None,
        exclude: str | Path | None = None,
        mark: str | Sequence[str] = (),
        tell: Tell | None = None,
    ) -> None:
        made = Making(images, ToTensor(transform), tag_names)
        lists = _lists(only, exclude, mark)
        self._items = Items(Path(folder), split, made, lists, tell or _warn)
        self.excluded = self._items.excluded
        self.class_names = self._items.class_names
        self.ids, self.class_ids = self._items.ids, self._items.class_ids

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Item:
        return self._items[number]


class Shards(IterableDataset[Item]):
    """The samples of all WebDataset shards in a folder, such as `packs/webdataset-both/train`, or
    in an object store, such as `s3://bucket/prefix/packs/webdataset-both/train`.

    They are divided among the ranks of a job, and those of a rank among the workers of its
    DataLoader, however these are started. With a `seed` every epoch has an order of its own; call
    `set_epoch` before each, which reaches persistent workers, too.

    Args:
        folder: The shards of a split.
        images: `full`, `faces` or `both`.
        transform: A function of pixels (height, width, 3), RGB, uint8.
        tag_names: The tags in `tags`, in this order (`read_tag_names` reads them).
        seed: Shuffle by this number and the epoch; None for the order of the shards.
        even: "drop" or "pad" for the same number of samples in all ranks, and so of batches, if
            they have equally many workers; else DistributedDataParallel waits for ever at the end
            of an epoch. "drop" leaves out the last samples of the epoch, fewer than there are
            ranks; "pad" repeats the first. None: every sample comes exactly once, and some ranks
            have one more than others.
        batch_size: That of the DataLoader. Workers then take whole batches in turn, so that only
            the last batch of a rank can be smaller, and `len` of the DataLoader is exact.
        rank: The number of this process, from 0. Default: that of `torch.distributed`; without a
            process group that of the launcher (`RANK`, which torchrun sets); else 0.
        world_size: The number of all processes. Default: as for `rank` (`WORLD_SIZE`), else 1. Give
            0 and 1 where something else divides the samples, such as accelerate.
        only: A list of the samples to take, as for `Images`. It may name images of other splits.
        exclude: A list of samples to leave out.
        mark: The marks that count in these lists, where they have a column `mark`; all by default.

    `len` is the number of samples of this rank in an epoch. `state_dict` and `load_state_dict` let
    it go on within an epoch; torchdata's StatefulDataLoader calls them in its workers.

    Raises InputError if the folder has no such shards, UsageError if they lack the pictures or an
    argument is out of its bounds.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        images: str = "full",
        transform: Transform | None = None,
        tag_names: Sequence[str] | None = None,
        seed: int | None = None,
        even: Even = None,
        batch_size: int | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        only: str | Path | None = None,
        exclude: str | Path | None = None,
        mark: str | Sequence[str] = (),
    ) -> None:
        if even not in (None, "drop", "pad"):
            raise UsageError(f"even={even!r}: must be 'drop', 'pad' or None")
        if batch_size is not None and batch_size < 1:
            raise UsageError(f"batch_size={batch_size}: must be 1 or more")
        made = Making(images, ToTensor(transform), tag_names)
        lists = _lists(only, exclude, mark)
        self._stream = Stream(Path(folder), made, seed, even=even, batch=batch_size, lists=lists)
        self.excluded = self._stream.excluded
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._given = _Rank.given(rank, world_size)
        self._known: _Rank | None = None
        self._known = self._rank()
        self._begin: _State | None = None
        self._at: _State | None = None

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the order of samples together with the seed."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return self._length(self._rank())

    def __iter__(self) -> Iterator[Item]:
        rank, worker = self._rank(), get_worker_info()
        self._length(rank)
        place = (worker.id, worker.num_workers) if worker else (0, 1)
        state = self._state(Reader(*rank, *place))
        if self._begin and self._begin.epoch == state.epoch:
            state = self._begin.checked(state)
        self._begin, self._at = None, state
        return self._items(Reader(*rank, *place), state)

    def state_dict(self) -> dict[str, Any]:
        """Return how far the last iteration of this process has come, as plain values.

        It holds for every rank, if all have read as much. Raises UsageError if there was none.
        """
        if state := self._begin or self._at:
            return state._asdict()
        raise UsageError(
            "nothing was read in this process; where workers read, take the state of torchdata's"
            " StatefulDataLoader"
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on where `state_dict` was taken; that sets the epoch, too.

        Raises UsageError for what is no such state. So does the iteration, if samples are divided
        in another way than they were.
        """
        try:
            self._begin = _State(**state)
        except TypeError as error:
            raise UsageError(f"is no state of Shards: {error}") from error
        self.set_epoch(self._begin.epoch)

    def __getstate__(self) -> dict[str, Any]:
        # The workers of this rank are sent what it knows: they belong to no process group.
        return self.__dict__ | {"_known": self._rank()}

    def _rank(self) -> "_Rank":
        """Return the rank of this process, or, in a worker, that of the process it works for."""
        others = [_Rank.of_launcher(), self._known]
        if get_worker_info():  # whoever started the worker knows better than its environment
            others.reverse()
        found = (self._given, _Rank.of_group(), *others)
        return next((rank for rank in found if rank), _Rank(0, 1))

    def _length(self, rank: "_Rank") -> int:
        division = self._stream.division
        length = len(division.of_rank(*rank))
        if division.samples and division.even == "drop" and not length:
            raise UsageError(
                f"even='drop': {division.samples} samples are too few for {rank.ranks} ranks;"
                " even='pad' repeats some"
            )
        return length

    def _state(self, reader: Reader) -> "_State":
        division = self._stream.division
        return _State(
            epoch=int(self._epoch.item()),
            samples=0,
            world_size=reader.ranks,
            worker=reader.worker,
            num_workers=reader.workers,
            seed=self._stream.seed,
            even=division.even,
            batch_size=division.batch,
            of_samples=division.samples,
        )

    def _items(self, reader: Reader, state: "_State") -> Iterator[Item]:
        for item in self._stream.items(state.epoch, reader, state.samples):
            state = self._at = state._replace(samples=state.samples + 1)
            yield item


class _Rank(NamedTuple):
    """The number of a process of a job, from 0, and the number of all of them."""

    rank: int
    ranks: int

    @classmethod
    def given(cls, rank: int | None, world_size: int | None) -> "_Rank | None":
        if rank is None and world_size is None:
            return None
        if rank is None or world_size is None or not 0 <= rank < world_size:
            raise UsageError(
                f"rank={rank}, world_size={world_size}: both are needed, rank from 0 and below"
                " world_size"
            )
        return cls(rank, world_size)

    @classmethod
    def of_group(cls) -> "_Rank | None":
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            return cls(torch.distributed.get_rank(), torch.distributed.get_world_size())
        return None

    @classmethod
    def of_launcher(cls) -> "_Rank | None":
        rank, ranks = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
        if rank is None or ranks is None:
            return None
        if not (rank.isdecimal() and ranks.isdecimal() and int(rank) < int(ranks)):
            raise UsageError(f"RANK={rank}, WORLD_SIZE={ranks}: are no rank of a job")
        return cls(int(rank), int(ranks))


class _State(NamedTuple):
    """How many `samples` of an epoch a worker has given, and how the epoch was divided."""

    epoch: int
    samples: int
    world_size: int
    worker: int
    num_workers: int
    seed: int | None
    even: str | None
    batch_size: int | None
    of_samples: int

    def checked(self, here: "_State") -> "_State":
        """Return this state. Raises UsageError if the epoch is not divided so here."""
        for name, value in here._replace(samples=self.samples)._asdict().items():
            if (was := getattr(self, name)) != value:
                raise UsageError(
                    f"the state was saved with {name}={was}, here it is {value}: go on as it was,"
                    " or begin the epoch anew"
                )
        return self
