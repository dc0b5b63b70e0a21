"""Feed a network: images of a dataset as batches of uint8 tensors, decoded by worker processes.

Random changes are made later, to whole batches on the device (`augment`), so that what workers do
depends on nothing but the file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dafre_fast.core.errors import InputError, WorkerError
from dafre_fast.core.events import Tell, silent
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP
from dafre_fast.dataset.chosen import ALL, Lists
from dafre_fast.dataset.items import Item
from dafre_fast.pixels.rasters import Pixels
from dafre_fast.torch import Images

VIEWS = {
    "faces": (HEAD_CROP.name,),
    "full": (FULL_IMAGE.name,),
    "both": (HEAD_CROP.name, FULL_IMAGE.name),
}
"""The views of a model, by the word of `--images`: names of outputs, in the order of views."""
_AHEAD = 4
"""Batches that a worker makes ready."""


@dataclass(frozen=True, slots=True)
class Squashed:
    """A transform that returns the whole picture as a square of `side` pixels."""

    side: int

    @property
    def least_side(self) -> int:
        """Short side that the decoder may shrink a picture to."""
        return self.side

    def __call__(self, pixels: Pixels) -> Pixels:
        height, width = pixels.shape[:2]
        # Means of areas take 10 times as long, and show only where much is shrunk.
        smooth = min(height, width) > 2 * self.side
        method = cv2.INTER_AREA if smooth else cv2.INTER_LINEAR
        squashed: Pixels = cv2.resize(pixels, (self.side, self.side), interpolation=method)
        return squashed


class Batch(NamedTuple):
    """Images of a batch: uint8 (n, views, 3, side, side), their numbers in the dataset, int64 (n,),
    and a message for each further image that cannot be read.
    """

    pictures: Tensor
    numbers: Tensor
    damaged: Sequence[str]


class _Readable(Dataset[tuple[int, Item | str]]):
    """Items of a dataset with their numbers, or the message where one cannot be read."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def __getitem__(self, number: int) -> tuple[int, Item | str]:
        try:
            return number, self._images[number]
        except InputError as error:
            return number, str(error)


class _Collate(NamedTuple):
    views: Sequence[str]
    side: int

    def __call__(self, items: Sequence[tuple[int, Item | str]]) -> Batch:
        good = [(number, item) for number, item in items if not isinstance(item, str)]
        pictures = [torch.stack([item[view] for view in self.views]) for _, item in good]
        empty = torch.empty(0, len(self.views), 3, self.side, self.side, dtype=torch.uint8)
        return Batch(
            torch.stack(pictures) if pictures else empty,
            torch.tensor([number for number, _ in good], dtype=torch.int64),
            [item for _, item in items if isinstance(item, str)],
        )


def open_images(
    dataset: Path,
    split: str | None,
    images: str,
    side: int,
    lists: Lists = ALL,
    tell: Tell = silent,
) -> Images:
    """Open the images of a split that lists choose, as squares of `side` pixels. Raises InputError
    and UsageError as `Images` does.
    """
    squashed, chosen = Squashed(side), lists._asdict()
    return Images(dataset, split, images=images, transform=squashed, tell=tell, **chosen)


def batches(
    images: Images,
    views: Sequence[str],
    side: int,
    numbers: Sequence[Sequence[int]],
    workers: int,
) -> Iterator[Batch]:
    """Yield a batch of images for each list of their numbers.

    With 0 `workers`, images are decoded in this process, between steps. Raises WorkerError if a
    worker dies.
    """
    # Workers are forked, as DataLoader does by default on Linux before Python 3.14: they read
    # nothing but files and arrays. Where it spawns them, they import this module.
    loader = DataLoader(
        _Readable(images),
        batch_sampler=numbers,
        collate_fn=_Collate(views, side),
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise WorkerError(
            "a process that decodes images died, perhaps for lack of memory; try fewer --workers"
        ) from error


def in_batches(number: int, size: int) -> list[list[int]]:
    """Return the numbers from 0 below `number` in order, in batches of `size`."""
    return [[*range(at, min(at + size, number))] for at in range(0, number, size)]


class Order(NamedTuple):
    """The order of training images, epoch by epoch: `steps` batches of `size` for each of `ranks`
    processes.

    `balance` evens out how often classes are seen: an image comes on average (size of its class) to
    the power of `-balance` times, relative to the others, rounded at random.
    """

    class_ids: NDArray[np.int64]
    size: int
    ranks: int
    balance: float
    seed: int

    @property
    def steps(self) -> int:
        """Batches of an epoch and rank; what is left over waits for another epoch."""
        return max(len(self.class_ids) // (self.size * self.ranks), 1)

    def batches(self, epoch: int, rank: int) -> list[list[int]]:
        """Return the numbers of the images of each batch of a rank in an epoch."""
        random = np.random.default_rng((self.seed, epoch))
        sizes = np.bincount(self.class_ids)
        weights = sizes[self.class_ids].astype(np.float64) ** -self.balance
        wanted = weights / weights.mean() + random.random(len(weights)) * (self.balance > 0)
        drawn = np.repeat(np.arange(len(weights)), wanted.astype(np.int64))
        taken = random.permutation(drawn)[: self.steps * self.size * self.ranks]
        taken = np.resize(taken, max(self.steps * self.size * self.ranks, 1))
        if len(drawn) < self.size * self.ranks:  # fewer images than a batch: no image twice in it
            return [[int(number) for number in random.permutation(drawn)[rank :: self.ranks]]]
        return taken.reshape(self.steps, self.ranks, self.size)[:, rank].tolist()  # type: ignore[no-any-return]
