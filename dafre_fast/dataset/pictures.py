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

from dafre_fast.core.findings import Output as RecordedFile
from dafre_fast.core.layout import image_path
from dafre_fast.core.settings.images import Output
from dafre_fast.dataset.outputs import members_of, prefix_of, read_outputs
from dafre_fast.dataset.places import columns, places_of


def file_of(output: Output, image_id: int) -> str:
    """Return the path of an output in a dataset of trees. It is made of the id, never of text."""
    return f"{output.tree}/{image_path(image_id)}"


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
    `files` of these numbers, each output from one byte on and so many long (`spans`, int64 (n, 2),
    by its name).
    """

    folder: Path
    outputs: tuple[Output, ...]
    ids: NDArray[np.int64]
    files: Sequence[str]
    numbers: NDArray[np.integer[Any]]
    spans: Mapping[str, NDArray[np.int64]]

    @classmethod
    def at(cls, folder: Path, outputs: Sequence[Output], places: pl.DataFrame | None) -> "Pictures":
        """Of a dataset whose pictures lie at these places (`dataset.places`); None: in trees."""
        places = pl.DataFrame(schema=columns(outputs)) if places is None else places.sort("id")
        spans = {
            output.name: places.select(
                f"{prefix_of(output.name)}{column}" for column in ("offset", "bytes")
            ).to_numpy()
            for output in outputs
        }
        files = places["file"]
        return cls(
            folder,
            tuple(outputs),
            ids=places["id"].to_numpy(),
            files=files.unique().sort().to_list(),
            numbers=(files.rank("dense") - 1).to_numpy(),
            spans=spans,
        )

    @classmethod
    def of(cls, folder: Path) -> "Pictures":
        """Of a dataset that stands."""
        return cls.at(folder, read_outputs(folder), places_of(folder))

    def of_images(self, ids: pl.Series) -> "Pictures":
        """What is known of these images alone."""
        there = np.isin(self.ids, ids.to_numpy())
        spans = {name: span[there] for name, span in self.spans.items()}
        return replace(self, ids=self.ids[there], numbers=self.numbers[there], spans=spans)

    def place(self, output: Output, image_id: int) -> Place:
        """Where it should lie; what is in no shard, in its tree."""
        row = int(np.searchsorted(self.ids, image_id))
        if row == len(self.ids) or self.ids[row] != image_id:
            path = file_of(output, image_id)
            return Place(path, path)
        file = self.files[self.numbers[row]]
        offset, size = self.spans[output.name][row]
        member = f"{image_id}.{members_of(self.outputs)[output.name]}"
        return Place(f"{file}/{member}", file, int(offset), int(size))

    def recorded(self, output: Output, row: Mapping[str, Any]) -> RecordedFile:
        """As it is recorded in a row of the manifest, and where it should lie."""
        image_id, prefix = row["id"], prefix_of(output.name)
        place = self.place(output, image_id)
        recorded = {name: row[f"{prefix}{name}"] for name in ("bytes", "sha256")}
        if place.size is None:
            return RecordedFile(place.name, **recorded)
        return RecordedFile(place.name, shard=place.file, offset=place.offset, **recorded)
