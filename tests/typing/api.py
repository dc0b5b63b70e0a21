"""The types of the Python functions, checked by mypy and never run (`tests/test_types.py`).

A line that mypy must refuse has a `type: ignore` with the code of its error; mypy warns of one that
it does not need.
"""

from pathlib import Path

import polars as pl

import dafre_fast as df
from dafre_fast.core.records import Image

version: str = df.__version__

catalogue: pl.LazyFrame = df.read_catalogue("faces.tsv")
catalogue = df.read_catalogue(Path("faces.tsv"), "tagIds.tsv", min_images=30, min_confidence=0.5)
df.read_catalogue("faces.tsv", min_image=30)  # type: ignore[call-arg]
df.read_catalogue("faces.tsv", None, 30)  # type: ignore[call-arg]
df.read_catalogue(b"faces.tsv")  # type: ignore[arg-type]

image: Image = df.resize_image(b"", size=128, quality=80, subsampling="4:4:4")
data: bytes = image.data
pixels: int = image.width * image.height
df.resize_image("original.png")  # type: ignore[arg-type]
df.resize_image(b"", size="128")  # type: ignore[arg-type]
df.resize_image(b"", subsampling="4:2:2")  # type: ignore[arg-type]
df.resize_image(b"", face_margin=0.1)  # type: ignore[call-arg]

image = df.crop_head(b"", (0.1, 0.1, 0.5, 0.5), face_margin=0.1, face_size=None)
df.crop_head(b"")  # type: ignore[call-arg]
df.crop_head(b"", (0.1, 0.1, 0.5))  # type: ignore[arg-type]

manifest: pl.DataFrame = df.make_images(catalogue, "original", Path("out"), progress=True)
manifest = df.make_images(manifest, "original", "out", metadata=["a.json"], rate=2, workers=4)
manifest = df.make_images(manifest, "https://host/{id}.jpg", "out", keep_originals=False)
df.make_images(manifest, "original", "out", keep_originals="no")  # type: ignore[arg-type]
df.make_images({"id": [1]}, "original", "out")  # type: ignore[arg-type]
df.make_images(manifest, "original")  # type: ignore[call-arg]
df.make_images(manifest, "original", "out", True)  # type: ignore[call-arg]
df.make_images(manifest, "original", "out", truncated="drop")  # type: ignore[arg-type]

dataset: pl.LazyFrame = df.open_dataset("out")
df.open_dataset(1)  # type: ignore[arg-type]

nothing = df.nothing  # type: ignore[attr-defined]
