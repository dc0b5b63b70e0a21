"""The pictures of a finished dataset: files in trees, or members of shards that stand for them.

Places are held as numbers in arrays, no table, so that a forked worker which reads pictures touches
no library that has threads of its own.
"""

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from dafre_fast.model.files import FACES, FULL, bucket
from dafre_fast.model.findings import Output
from dafre_fast.tables.places import COLUMNS, lies_in_shards, places_in_shards


class Picture(NamedTuple):
    """One of what is made of each original: its tree, and how its columns in the manifest begin."""

    name: str
    tree: str
    prefix: str

    def file(self, image_id: int) -> str:
        """Its path in a dataset of trees. It is made of the id, never of text."""
        return f"{self.tree}/{bucket(image_id)}/{image_id}.jpg"

    def member(self, image_id: int) -> str:
        """Its name in a shard of both."""
        return f"{image_id}.face.jpg" if self.prefix else f"{image_id}.jpg"


FULL_IMAGE, FACE = Picture("full", FULL, ""), Picture("face", FACES, "face_")
PICTURES = {"full": (FULL_IMAGE,), "faces": (FACE,), "both": (FULL_IMAGE, FACE)}


class Place(NamedTuple):
    """A path in the dataset, and where in that file the picture begins and how many bytes it has;
    None where it is all of the file. `name` is what people are told.
    """

    name: str
    file: str
    offset: int = 0
    size: int | None = None

    def read(self, dataset: Path) -> bytes:
        """What lies there, compared with nothing. Raises OSError."""
        with (dataset / self.file).open("rb") as file:
            file.seek(self.offset)
            return file.read(-1 if self.size is None else self.size)


class Pictures:
    """Of a dataset; `places` (`tables.places`) where they are no files of their own."""

    def __init__(self, folder: Path, places: pl.DataFrame | None = None) -> None:
        self.folder = folder
        places = pl.DataFrame(schema=COLUMNS) if places is None else places.sort("id")
        self._ids = places["id"].to_numpy()
        self._files = places["file"].unique().sort().to_list()
        self._file_of = (places["file"].rank("dense") - 1).to_numpy()
        self._spans = {
            picture.prefix: places.select(
                f"{picture.prefix}{name}" for name in ("offset", "bytes")
            ).to_numpy()
            for picture in PICTURES["both"]
        }

    @classmethod
    def of(cls, folder: Path) -> "Pictures":
        """Of a dataset that stands."""
        return cls(folder, places_in_shards(folder) if lies_in_shards(folder) else None)

    def of_images(self, ids: pl.Series) -> "Pictures":
        """What is known of these images alone."""
        there = np.isin(self._ids, ids.to_numpy())
        chosen = {
            "_ids": self._ids[there],
            "_file_of": self._file_of[there],
            "_spans": {prefix: spans[there] for prefix, spans in self._spans.items()},
        }
        fewer = copy(self)
        vars(fewer).update(chosen)
        return fewer

    def place(self, picture: Picture, image_id: int) -> Place:
        """Where it should lie; what is in no shard, in its tree."""
        row = int(np.searchsorted(self._ids, image_id))
        if row == len(self._ids) or self._ids[row] != image_id:
            path = picture.file(image_id)
            return Place(path, path)
        file = self._files[self._file_of[row]]
        offset, size = self._spans[picture.prefix][row]
        return Place(f"{file}/{picture.member(image_id)}", file, int(offset), int(size))

    def output(self, picture: Picture, row: Mapping[str, Any]) -> Output:
        """As it is recorded in a row of the manifest, and where it should lie."""
        image_id, prefix = row["id"], picture.prefix
        place = self.place(picture, image_id)
        recorded = {name: row[f"{prefix}{name}"] for name in ("bytes", "sha256")}
        if place.size is None:
            return Output(place.name, **recorded)
        return Output(place.name, shard=place.file, offset=place.offset, **recorded)
