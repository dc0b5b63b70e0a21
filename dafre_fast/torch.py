"""Datasets for PyTorch: images by number from a dataset folder, or as they come from its shards.

Needs PyTorch: `pip install 'dafre_fast[torch]'`.

    from torch.utils.data import DataLoader
    from dafre_fast.torch import Images, Shards, Square

    train = Images("dataset", "train", transform=Square(256))
    for batch in DataLoader(train, batch_size=64, shuffle=True, num_workers=8):
        batch["full"], batch["class_id"]     # uint8 (64, 3, 256, 256), int64 (64,)

An item is a dictionary: `id`, `class_id`, `full` or `face` or both (uint8 tensors (3, height,
width), or what the transform makes of them), and where tags are asked for `tags`, a bool for each.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from dafre_fast.dataset.items import Item, Items, Making, Square, Stream, read_tag_names
from dafre_fast.pixels.rasters import Pixels
from dafre_fast.pixels.tensors import planar

__all__ = ["Images", "Shards", "Square", "read_tag_names"]

Transform = Callable[[Pixels], Any]


class ToTensor:
    """Pixels (height, width, 3), first through a transform of theirs, as a tensor (3, height,
    width); what the transform makes of anything else stays as it is.
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
    """The images of a split (None: of all) that were made, by number; for a DataLoader that
    shuffles. `images` is `full`, `faces` or `both`; `transform` is given pixels (height, width, 3),
    RGB, uint8; `tag_names` (see `read_tag_names`) are those that have a place in `tags`; `exclude`
    is a CSV file of ids to leave out, such as `audit/exclude.csv`.

    `class_names`, `ids` and `class_ids` tell of the whole split. Raises InputError where the
    dataset cannot be read.
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
    """The samples of all WebDataset shards in a folder, such as `pack/webdataset-both/train`.

    Every process of `torch.distributed` and each of its workers takes its own stretch: no sample is
    lost or comes twice, and no reader has more than one more than another. With a seed their order
    is another in every epoch, which `set_epoch` tells, to workers that persist as well. The other
    arguments are those of `Images`.

    Raises InputError for what are no such shards, UsageError where they do not have the pictures.
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
        """What the order of samples follows from, besides the seed."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Item]:
        rank, ranks = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        worker = get_worker_info()
        place, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        epoch = int(self._epoch.item())
        return self._stream.items(epoch, rank * workers + place, ranks * workers)
