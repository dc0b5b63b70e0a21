"""Posts, pictures and a model for searches: a head is a dark square."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from tests.pixels.detectors import models

ONE, OTHER = (16, 16, 144, 144), (112, 112, 240, 240)
POSTS = {1: ("reimu",), 2: ("marisa",), 3: ("reimu",), 4: ("reimu", "marisa"), 5: ("cirno",)}
"""Posts with their characters. Those of 1 and 5 have one head, that of 2 none, that of 3 two."""
PICTURES = {1: (ONE,), 2: (), 3: (ONE, OTHER), 5: (OTHER,)}


def picture(
    *squares: tuple[int, int, int, int], corner: tuple[int, int, int] = (255, 255, 255)
) -> bytes:
    pixels = np.full((256, 256, 3), 255, np.uint8)
    pixels[:8, :8] = corner
    for left, top, right, bottom in squares:
        pixels[top:bottom, left:right] = 0
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_posts(path: Path, posts: dict[int, tuple[str, ...]]) -> None:
    records = [
        {"id": image, "rating": "g", "file_ext": "png", "tag_string_character": " ".join(names)}
        for image, names in posts.items()
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in records))


def write_inputs(folder: Path) -> None:
    """Write posts.json, model.onnx and a folder of originals."""
    write_posts(folder / "posts.json", POSTS)
    (folder / "model.onnx").write_bytes(models.yolo8())
    for image, squares in PICTURES.items():
        path = folder / f"originals/{image:04}/{image}.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(picture(*squares))
