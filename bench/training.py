"""`python -m bench.training`: how fast a device trains, with loading and without.

The network is that of a recipe. The dataset is drawn: a few hundred JPEGs of the size of head
crops, repeated in shards. Without loading, one batch in memory is trained on again and again.
"""

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import click
import msgspec
import numpy as np
import polars as pl
from PIL import Image

from dafre_fast.core.atomic import digest
from dafre_fast.core.layout import FACES, FULL, MANIFEST, image_path
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.learning.recipes import RECIPES, Recipe

_DRAWN, _CLASSES = 256, 3_000
_DAFRE = 322_947
"""Training images of DAF:re."""


class Measured(msgspec.Struct, frozen=True):
    """The measurements of one case. Memory, in GiB, is that of the GPU, else of this process."""

    device: str
    torch: str
    recipe: str
    batch_size: int
    images: int
    workers: int
    images_per_second_alone: float
    images_per_second: float
    waiting: float
    memory: float
    hours_of_a_full_training: float


@click.command()
@click.option("--device", help="Device, such as cpu or cuda. Default: a GPU if there is.")
@click.option("--recipe", type=click.Choice([*RECIPES]), default="modern")
@click.option("--images", type=click.IntRange(1), default=200_000, help="Images of the epoch.")
@click.option("--batch-size", type=click.IntRange(2), help="Default: that of the recipe.")
@click.option("--workers", type=click.IntRange(0), help="Default: the cores with a GPU, else 0.")
@click.option("--threads", type=click.IntRange(1), help="Default: the cores.")
@click.option("--steps", type=click.IntRange(1), default=100, help="Steps without loading.")
@click.option("--side", type=click.IntRange(1), default=256, help="Side of the drawn pictures.")
@click.option("--folder", type=click.Path(path_type=Path), help="For the dataset; then it is kept.")
def main(folder: Path | None, images: int, side: int, **asked: object) -> None:
    """Measure images per second, the share of waiting, and memory; print them as JSON."""
    with tempfile.TemporaryDirectory() as temporary:
        dataset = folder or Path(temporary)
        if not (dataset / MANIFEST).exists():
            began = time.perf_counter()
            draw(dataset, images, side)
            print(f"drawn and packed in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        measured = measure(dataset, **asked)  # type: ignore[arg-type]
    print(msgspec.json.format(msgspec.json.encode(measured)).decode())


def draw(folder: Path, images: int, side: int) -> None:
    """Make a dataset of head crops in shards, beside tiny full images. The files in its trees are
    links to a few drawn ones, and are removed when the shards have them.
    """
    from dafre_fast.pack.run import pack
    from dafre_fast.pack.settings import PackRun

    heads, tiny = _pictures(folder / "drawn", _DRAWN, side), _pictures(folder / "tiny", 1, 8)
    columns = _links(folder / FULL, tiny, images, "") | _links(
        folder / FACES, heads, images, "face_"
    )
    ids = pl.int_range(images, eager=True)
    classes = ids % _CLASSES
    table = pl.DataFrame({"id": ids, "path": [*map(image_path, range(images))], **columns})
    table.with_columns(
        class_id=classes,
        class_name=classes.cast(pl.String),
        split=pl.lit("train"),
        status=pl.lit("success"),
    ).write_parquet(folder / MANIFEST)
    pack(PackRun(output=folder))
    for tree in (FULL, FACES, "drawn", "tiny"):
        shutil.rmtree(folder / tree)


def _links(
    tree: Path, pictures: Sequence[Path], images: int, prefix: str
) -> dict[str, Sequence[object]]:
    """Fill a tree with links to pictures; return the columns of the manifest about them."""
    for number in range(images):
        path = tree / image_path(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(pictures[number % len(pictures)])
    digests = [digest(path) for path in pictures]
    found = [digests[number % len(digests)] for number in range(images)]
    return {
        f"{prefix}bytes": [one.bytes for one in found],
        f"{prefix}sha256": [one.sha256 for one in found],
    }


def _pictures(folder: Path, number: int, side: int) -> list[Path]:
    """Draw pictures whose JPEGs are about as large as those of real ones."""
    random = np.random.default_rng(1)
    folder.mkdir(parents=True)
    paths = [folder / f"{number}.jpg" for number in range(number)]
    for path in paths:
        coarse = random.integers(0, 256, (12, 12, 3), np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))
        pixels = np.clip(smooth + random.normal(0, 6, (side, side, 1)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(path, quality=90)
    return paths


def measure(
    dataset: Path,
    device: str | None,
    recipe: str,
    batch_size: int | None,
    workers: int | None,
    threads: int | None,
    steps: int,
) -> Measured:
    """Train an epoch of the dataset, and so many steps on one batch."""
    import torch

    from dafre_fast.core.events import silent
    from dafre_fast.learning.feeding import VIEWS, Order, batches, open_images
    from dafre_fast.learning.settings import Computing
    from dafre_fast.train.group import process_group
    from dafre_fast.train.loop import new_training

    figures: Recipe = RECIPES[recipe]
    figures = msgspec.structs.replace(figures, batch_size=batch_size or figures.batch_size)
    images = open_images(dataset, "train", "faces", figures.room)
    torch.backends.cudnn.benchmark = True
    with process_group(Computing(device=device, workers=workers, threads=threads)) as group:
        order = Order(images.class_ids, figures.batch_size, 1, 0.0, seed=1)
        numbers, views = order.batches(0, 0), VIEWS["faces"]
        sizes = np.bincount(images.class_ids, minlength=len(images.class_names))
        training = new_training(figures, sizes.tolist(), len(views), order, group)
        one = next(batches(images, views, figures.room, numbers[:1], 0))
        training.epoch(0, repeat(one, 5), silent)  # to warm up
        alone = training.epoch(0, repeat(one, steps), silent)
        feed = batches(images, views, figures.room, numbers, group.computer.workers)
        loaded = training.epoch(0, feed, silent)
        on_gpu = group.device.type == "cuda"
        peak = torch.cuda.max_memory_allocated() / 2**30 if on_gpu else _resident()
        seconds = figures.epochs * _DAFRE / loaded.images_per_second
        return Measured(
            device=torch.cuda.get_device_name() if on_gpu else f"{usable_cores()} cores",
            torch=str(torch.__version__),
            recipe=recipe,
            batch_size=figures.batch_size,
            images=loaded.images,
            workers=group.computer.workers,
            images_per_second_alone=alone.images_per_second,
            images_per_second=loaded.images_per_second,
            waiting=loaded.waiting,
            memory=peak,
            hours_of_a_full_training=seconds / 3600,
        )


def _resident() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
