"""The pictures of a finished dataset: files in trees, or members of shards that stand for them.

Places are held as numbers in arrays, no table, so that a forked worker which reads pictures touches
no library that has threads of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dafre_fast.core.findings import Output
from dafre_fast.core.layout import FACES, FULL, image_path
from dafre_fast.dataset.places import COLUMNS, places_of


class Picture(NamedTuple):
    """One of what is made of each original: its tree, and how its columns in the manifest begin."""

    name: str
    tree: str
    prefix: str

    def file(self, image_id: int) -> str:
        """Its path in a dataset of trees. It is made of the id, never of text."""
        return f"{self.tree}/{image_path(image_id)}"

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


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Of a dataset. Those that are no files of their own: images `ids` (int64, ascending) lie in
    `files` of these numbers, each picture from one byte on and so many long (`spans`, int64 (n, 2),
    by the prefix of its columns).
    """

    folder: Path
    ids: NDArray[np.int64]
    files: Sequence[str]
    numbers: NDArray[np.integer[Any]]
    spans: Mapping[str, NDArray[np.int64]]

    @classmethod
    def at(cls, folder: Path, places: pl.DataFrame | None) -> "Pictures":
        """Of a dataset whose pictures lie at these places (`dataset.places`); None: in trees."""
        places = pl.DataFrame(schema=COLUMNS) if places is None else places.sort("id")
        spans = {
            picture.prefix: places.select(
                f"{picture.prefix}{name}" for name in ("offset", "bytes")
            ).to_numpy()
            for picture in PICTURES["both"]
        }
        files = places["file"]
        numbers = (files.rank("dense") - 1).to_numpy()
        return cls(folder, places["id"].to_numpy(), files.unique().sort().to_list(), numbers, spans)

    @classmethod
    def of(cls, folder: Path) -> "Pictures":
        """Of a dataset that stands."""
        return cls.at(folder, places_of(folder))

    def of_images(self, ids: pl.Series) -> "Pictures":
        """What is known of these images alone."""
        there = np.isin(self.ids, ids.to_numpy())
        spans = {prefix: span[there] for prefix, span in self.spans.items()}
        return replace(self, ids=self.ids[there], numbers=self.numbers[there], spans=spans)

    def place(self, picture: Picture, image_id: int) -> Place:
        """Where it should lie; what is in no shard, in its tree."""
        row = int(np.searchsorted(self.ids, image_id))
        if row == len(self.ids) or self.ids[row] != image_id:
            path = picture.file(image_id)
            return Place(path, path)
        file = self.files[self.numbers[row]]
        offset, size = self.spans[picture.prefix][row]
        return Place(f"{file}/{picture.member(image_id)}", file, int(offset), int(size))

    def output(self, picture: Picture, row: Mapping[str, Any]) -> Output:
        """As it is recorded in a row of the manifest, and where it should lie."""
        image_id, prefix = row["id"], picture.prefix
        place = self.place(picture, image_id)
        recorded = {name: row[f"{prefix}{name}"] for name in ("bytes", "sha256")}
        if place.size is None:
            return Output(place.name, **recorded)
        return Output(place.name, shard=place.file, offset=place.offset, **recorded)
