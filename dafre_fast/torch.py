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

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dafre_fast.dataset.items import Item, Items, Making, Square, Stream, read_tag_names
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

    def __call__(self, pixels: Pixels) -> Any:
        made = self._transform(pixels) if self._transform else pixels
        if isinstance(made, Tensor):
            return made
        if made.dtype == np.uint8 and made.ndim == 3 and made.shape[2] == 3:
            return torch.from_numpy(planar(made))
        return torch.from_numpy(made).permute(2, 0, 1).contiguous()


class Images(Dataset[Item]):
    """The images of a split that were made, by index, for a DataLoader that shuffles.

    Args:
        folder: The dataset, as `full` leaves it.
        split: train, val or test; None for all three.
        images: `full`, `faces` or `both`.
        transform: A function of pixels (height, width, 3), RGB, uint8.
        tag_names: The tags in `tags`, in this order (`read_tag_names` reads them).
        exclude: A CSV file of ids to leave out, such as `audit/exclude.csv`.

    `class_names`, `ids` and `class_ids` describe the whole split. Raises InputError if the dataset
    cannot be read.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str | None = "train",
        *,
        images: str = "full",
        transform: Transform | None = None,
        tag_names: Sequence[str] | None = None,
        exclude: str | Path | None = None,
    ) -> None:
        made = Making(images, ToTensor(transform), tag_names)
        self._items = Items(Path(folder), split, made, Path(exclude) if exclude else None)
        self.class_names = self._items.class_names
        self.ids, self.class_ids = self._items.ids, self._items.class_ids

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Item:
        return self._items[number]


class Shards(IterableDataset[Item]):
    """The samples of all WebDataset shards in a folder, such as `packs/webdataset-both/train`.

    Each process of `torch.distributed`, and each of its workers, reads its own stretch: no sample
    is lost or read twice, and no reader has over one sample more than another. With a `seed` every
    epoch has an order of its own; call `set_epoch` before each, which reaches persistent workers
    too. The other arguments are those of `Images`.

    Raises InputError if the folder has no such shards, UsageError if they lack the pictures.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        images: str = "full",
        transform: Transform | None = None,
        tag_names: Sequence[str] | None = None,
        seed: int | None = None,
    ) -> None:
        made = Making(images, ToTensor(transform), tag_names)
        self._stream = Stream(Path(folder), made, seed)
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the order of samples together with the seed."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Item]:
        rank, ranks = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        worker = get_worker_info()
        place, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch = int(self._epoch.item())
        return self._stream.items(epoch, rank * workers + place, ranks * workers)
