"""A dataset of 130 images for tests of the gallery, and its content in plain Python."""

import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw

IMAGES = 130
ODD = "shiro_ō_\u202e" + "n" * 120
"""A name wider than a phone, written from right to left after the ō."""
NAMES = ("aoi_(sample)", "ao/midori", ODD, "a&b <i>\"'", None)
GENERAL = ("solo", "long hair", "blue hair", "hair ribbon", "1 girl", "<script>alert(1)</script>")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class One:
    """One image of the dataset. `box` has shares of the full image, sizes are in pixels."""

    id: int
    class_id: int
    split: str
    status: str
    general: tuple[str, ...]
    series: tuple[str, ...]
    box: tuple[float, float, float, float]
    width: int
    height: int
    original: tuple[int, int]

    @property
    def klass(self) -> str:
        return NAMES[self.class_id] or f"#{self.class_id}"

    @property
    def path(self) -> str:
        return f"{self.id % 1000:04d}/{self.id}.jpg"

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of the head, in pixels of the full image."""
        sides = (self.width, self.height) * 2
        left, top, right, bottom = (
            round(edge * side) for edge, side in zip(self.box, sides, strict=True)
        )
        return left, top, right, bottom

    @property
    def face(self) -> tuple[int, int]:
        left, top, right, bottom = self.edges
        return right - left, bottom - top


def images() -> list[One]:
    """Return the images class by class, their ids unordered; every 20th was refused."""
    return [
        One(
            id=(number * 7919) % 100_003 + 5,
            class_id=number * len(NAMES) // IMAGES,
            split=SPLITS[number % 7 % 3],
            status="truncated" if number % 20 == 13 else "success",
            general=tuple(tag for bit, tag in enumerate(GENERAL) if number >> bit & 1),
            series=("sample",) if number % 2 else (),
            box=(0.25, 0.125, 0.5 + number / 1000, 0.5),
            width=256,
            height=256 + number % 5 * 32,
            original=(512, 512 + number % 5 * 64),
        )
        for number in range(IMAGES)
    ]


def write_dataset(folder: Path) -> Path:
    """Write the files that `full` would: both trees, the manifest, and tables of tags."""
    rows = [_row(one) for one in images()]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "manifest.parquet")
    (folder / "labels").mkdir()
    for split in SPLITS:
        tags = [
            {"id": one.id, "tags_cat0": one.general, "tags_cat3": one.series, "tags_cat4": ()}
            for one in images()
            if one.split == split and one.general
        ]
        schema = {"id": pl.Int64} | dict.fromkeys(
            ("tags_cat0", "tags_cat3", "tags_cat4"), pl.List(pl.String)
        )
        table = pl.DataFrame(tags, schema=schema)
        table.write_parquet(folder / f"labels/{split}_tags.parquet")
    for one in images():
        if one.status == "success":
            _draw(one, folder)
    return folder


def _row(one: One) -> dict[str, object]:
    made = one.status == "success"
    edges = dict(zip(("left", "top", "right", "bottom"), one.box, strict=True))
    sizes = {
        "original_width": one.original[0],
        "original_height": one.original[1],
        "width": one.width,
        "height": one.height,
        "face_width": one.face[0],
        "face_height": one.face[1],
    }
    return {
        "id": one.id,
        "path": one.path,
        "class_id": one.class_id,
        "class_name": NAMES[one.class_id],
        "split": one.split,
        **edges,
        "status": one.status,
        "error_message": None if made else f"{one.path}: breaks off <here>",
        "notes": [],
        **{name: size if made else None for name, size in sizes.items()},
    }


def _draw(one: One, folder: Path) -> None:
    picture = Image.new("RGB", (one.width, one.height), "navy")
    ImageDraw.Draw(picture).ellipse(one.edges, "orange")
    for tree, made in (("fullMin256", picture), ("faces", picture.crop(one.edges))):
        path = folder / tree / one.path
        path.parent.mkdir(parents=True, exist_ok=True)
        data = io.BytesIO()
        made.save(data, "jpeg")
        path.write_bytes(data.getvalue())
