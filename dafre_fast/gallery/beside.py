"""Find what lies beside the outputs of a dataset: originals, and duplicates of an audit."""

import os
from pathlib import Path

import polars as pl

from dafre_fast.core.formats import EXTENSIONS
from dafre_fast.core.layout import AUDIT, ORIGINALS, image_path
from dafre_fast.tables.unreadable import reading

DUPLICATES = "duplicates.parquet"
SHOWN = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "bmp": "image/bmp",
}
"""Media types of originals that browsers show, by their ending; others are offered as files."""


def find_original(dataset: Path, image: int) -> str | None:
    """Return the path of an original in its dataset, or None if it is not on this disk."""
    for extension in sorted(EXTENSIONS):
        path = f"{ORIGINALS}/{image_path(image, extension)}"
        if os.path.isfile(dataset / path):  # noqa: PTH113  (asked for every ending)
            return path
    return None


def find_duplicates(dataset: Path, image: int) -> list[int]:
    """Return the ids of the images that the audit of a dataset put into one group with an image.
    Raises InputError if its table cannot be read.
    """
    path = dataset / AUDIT / DUPLICATES
    if not path.exists():
        return []
    with reading(path):
        rows = pl.scan_parquet(path, glob=False).select("group", "id")
        own = rows.filter(id=image).select("group")
        found = rows.join(own, on="group", how="semi").filter(pl.col("id") != image)
        return found.collect()["id"].to_list()
