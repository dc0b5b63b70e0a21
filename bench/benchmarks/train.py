"""Train: load and augment the images of an epoch, as `train` does and as plain PyTorch with Pillow.

Both squash a picture to 160 pixels, cut out 128 at random, and mirror half of them; no network is
trained. Needs PyTorch.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from bench.benchmarks import Workload
from bench.corpus import HEAD
from bench.measure import Contender, timed
from bench.records import Role
from dafre_fast.core.layout import MANIFEST, image_path
from dafre_fast.core.settings.images import Recipe
from dafre_fast.pixels.making import make_images

ONE_THREAD = True
_BATCH = 32
_IMAGES = 200
"""Images of an epoch, at least; the originals of the corpus are repeated."""


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with TemporaryDirectory(dir=workload.folder) as temporary:
        folder = Path(temporary)
        images = _make(workload, folder)
        works = [
            (part, name, work, role)
            for part in ("full", "faces")
            for name, work, role in (
                ("dafre_fast.train", partial(_ours, folder / "ds", part), Role.OURS),
                ("ImageFolder, Pillow", partial(_plain, folder / part), Role.PEER),
            )
        ]
        yield [
            Contender(name, partial(timed, work), images, 0.0, part, role, work)
            for part, name, work, role in works
        ]


def _make(workload: Workload, folder: Path) -> int:
    """Make a dataset, and the same files in a folder per class; return the number of images."""
    originals = workload.corpus.originals
    made = [make_images(one.path.read_bytes(), Recipe(), box=HEAD).pictures for one in originals]
    images = max(min(_IMAGES, workload.many), len(originals))
    rows = []
    for number in range(images):
        row = {"id": number, "path": image_path(number), "class_id": number % 5}
        row |= {"class_name": str(number % 5), "split": "train", "status": "success"}
        for name, tree, part in (("full", "fullMin256", "full"), ("face", "faces", "faces")):
            data = made[number % len(made)][name].data
            for path in (
                folder / "ds" / tree / image_path(number),
                folder / part / str(number % 5) / f"{number}.jpg",
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            row[f"{'' if name == 'full' else 'face_'}sha256"] = hashlib.sha256(data).hexdigest()
        rows.append(row)
    pl.DataFrame(rows).write_parquet(folder / "ds" / MANIFEST)
    return images


def _ours(dataset: Path, images: str) -> None:
    from torch import Generator

    from dafre_fast.learning.augment import augment
    from dafre_fast.learning.feeding import VIEWS, Order, batches, open_images
    from dafre_fast.learning.recipes import ORIGINAL as RECIPE

    opened = open_images(dataset, "train", images, RECIPE.room)
    size = min(_BATCH, len(opened))
    order = Order(opened.class_ids, size, 1, 0.0, seed=1)
    for number, batch in enumerate(
        batches(opened, VIEWS[images], RECIPE.room, order.batches(0, 0), 0)
    ):
        draws = Generator().manual_seed(number)
        augment(batch.pictures.flatten(0, 1), RECIPE, draws).sub_(0.5).div_(0.5)


def _plain(folder: Path) -> None:
    from bench.peers import plain_pytorch

    plain_pytorch.epoch(folder, _BATCH)
