"""A small dataset as `full` leaves it, drawn without running it."""

import io
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from dafre_fast.core.layout import FACES, FULL, LABELS, MANIFEST
from dafre_fast.dataset.reading import LISTS

IMAGES = 12
REFUSED = 11
"""An image that was not made."""
SPLITS = {"train": range(7), "val": (7, 8), "test": (9, 10, 11)}
NAMES = ['"quoted",_they_say', "café/müller"]
SIZES = {FULL: (40, 32), FACES: (20, 24)}
"""Width and height in pixels."""


def split_of(image: int) -> str:
    return next(split for split, images in SPLITS.items() if image in images)


def path_of(image: int) -> str:
    return f"{image % 1000:04}/{image}.jpg"


def draw_dataset(folder: Path, images: int = IMAGES) -> Path:
    """Ids 1000 to 1000 + `images` - 1, of two classes in turn."""
    rows = [_draw(folder, 1000 + number) for number in range(images)]
    pl.DataFrame(rows).write_parquet(folder / MANIFEST)
    (folder / LABELS).mkdir(exist_ok=True)
    for split in SPLITS:
        own = [row for row in rows if row["split"] == split]
        lines = [f"{row['class_id']},{row['path']}\n" for row in own]
        (folder / LABELS / f"{split}.csv").write_text("".join(lines))
        tags = {"id": [row["id"] for row in own]}
        tags |= {name: [[name, f"tag {row['id']}"] for row in own] for name in LISTS}
        pl.DataFrame(tags).write_parquet(folder / LABELS / f"{split}_tags.parquet")
    return folder


def _draw(folder: Path, image: int) -> dict[str, object]:
    number = image - 1000
    row: dict[str, object] = {
        "id": image,
        "path": path_of(image),
        "class_id": number % 2,
        "class_name": NAMES[number % 2],
        "split": split_of(number) if number < IMAGES else "train",
        "status": "success" if number != REFUSED else "not_found",
        "url": f"http://host/{image}.png",
        "error_message": "" if number != REFUSED else "HTTP 404",
        "original_sha256": sha256(b"%d" % image).hexdigest(),
        "original_width": 80,
        "original_height": 64,
        "left": 0.25,
        "top": 0.1,
        "right": 0.5,
        "bottom": 0.475,
    }
    random = np.random.default_rng(image)
    for tree, prefix in ((FULL, ""), (FACES, "face_")):
        width, height = SIZES[tree]
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (height, width, 3), np.uint8)).save(file, "jpeg")
        data = file.getvalue() if number != REFUSED else None
        if data:
            path = folder / tree / path_of(image)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        row |= {
            f"{prefix}width": data and width,
            f"{prefix}height": data and height,
            f"{prefix}bytes": data and len(data),
            f"{prefix}sha256": data and sha256(data).hexdigest(),
        }
    return row


def draw_inputs(folder: Path, images: int) -> Path:
    """Write originals of two classes, the seventh no image, with faces.tsv and tagIds.tsv."""
    (folder / "originals").mkdir()
    chance = np.random.default_rng(1)
    for number in range(images):
        pixels = chance.integers(0, 255, (60, 40 + number, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"originals/{number}.png")
    (folder / "originals/7.png").write_text("<html>")
    line = "{0:04d}\\{0}.jpg\t{1}\t0.2, 0.2, 0.8, 0.8 0.9\n"
    rows = [line.format(number, 7 + number % 2) for number in range(images)]
    (folder / "faces.tsv").write_text("".join(rows))
    (folder / "tagIds.tsv").write_text("cirno\t7\nreimu\t8\n")
    return folder
