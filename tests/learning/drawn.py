"""Datasets that can be learnt in a second: each class has a colour of its own."""

import io
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from dafre_fast.core.layout import FACES, FULL, MANIFEST, image_path

NAMES = ("red_ō", "green/two", '"blue"')
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200))
SIZES = {FULL: (48, 40), FACES: (32, 30)}
SPLITS = ("train",) * 7 + ("val",) + ("test",) * 2
"""The splits of every ten images of a class."""
TINY = {"side": 32, "width": 8, "embedding": 16, "epochs": 3, "batch_size": 8, "lr": 0.05}
"""Figures of a training of a second."""


def draw_classes(folder: Path, images: int = 20, first: int = 1000, seed: int = 0) -> Path:
    """So many images of each of three classes, with ids from `first`."""
    rows = [
        _draw(folder, first + 100 * kind + number, kind, number, seed)
        for kind in range(len(NAMES))
        for number in range(images)
    ]
    pl.DataFrame(rows).write_parquet(folder / MANIFEST)
    return folder


def edit_manifest(folder: Path, *changes: pl.Expr) -> Path:
    table = pl.read_parquet(folder / MANIFEST).with_columns(*changes)
    table.write_parquet(folder / MANIFEST)
    return folder


def jpeg(colour: Sequence[int], size: tuple[int, int], seed: int) -> bytes:
    random = np.random.default_rng(seed)
    noise = random.integers(-40, 40, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(colour) + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "jpeg")
    return file.getvalue()


def _draw(folder: Path, image: int, kind: int, number: int, seed: int) -> dict[str, object]:
    row: dict[str, object] = {
        "id": image,
        "path": image_path(image),
        "class_id": kind,
        "class_name": NAMES[kind],
        "split": SPLITS[number % len(SPLITS)],
        "status": "success",
        "original_sha256": sha256(b"%d %d" % (seed, image)).hexdigest(),
    }
    for tree, prefix in ((FULL, ""), (FACES, "face_")):
        data = jpeg(COLOURS[kind], SIZES[tree], image + seed)
        path = folder / tree / image_path(image)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        row |= {
            f"{prefix}width": SIZES[tree][0],
            f"{prefix}height": SIZES[tree][1],
            f"{prefix}bytes": len(data),
            f"{prefix}sha256": sha256(data).hexdigest(),
        }
    return row
