"""Find the pictures of a finished dataset: files in trees, or members of shards.

Places are arrays of numbers and not tables, so that a forked worker that reads pictures uses no
library with threads of its own.
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
from dafre_fast.dataset.output_columns import prefix_of
from dafre_fast.dataset.outputs import members_of, read_outputs
from dafre_fast.dataset.places import columns, places_of
from dafre_fast.dataset.stored import read_at


def file_of(output: Output, image_id: int) -> str:
    """Return the path of an output in a dataset of trees. It is made of the number alone, so that
    no text can lead out of the folder.
    """
    return f"{output.tree}/{image_path(image_id, output.extension)}"


class Place(NamedTuple):
    """The place of a picture: a file in the dataset, the byte at which the picture begins, and its
    size in bytes, None if it is the whole file. `name` is its name in messages.
    """

    name: str
    file: str
    offset: int = 0
    size: int | None = None

    def read(self, dataset: Path) -> bytes:
        """Return the bytes at this place, unchecked. Raises OSError, and InputError if they lie in
        an object store that cannot be read.
        """
        return read_at(dataset, self.file, self.offset, self.size)


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """The pictures of a dataset, and where those lie that are members of shards.

    For each image in a shard: its id (`ids`, int64, ascending), the number of its file in `files`
    (`numbers`), and for each output, by its name, first byte and size in bytes (`spans`, int64,
    (n, 2)). All other pictures are files in trees.
    """

    folder: Path
    outputs: tuple[Output, ...]
    ids: NDArray[np.int64]
    files: Sequence[str]
    numbers: NDArray[np.integer[Any]]
    spans: Mapping[str, NDArray[np.int64]]

    @classmethod
    def at(cls, folder: Path, outputs: Sequence[Output], places: pl.DataFrame | None) -> "Pictures":
        """Return the pictures of a dataset that lie at these places (`dataset.places`); None: all
        are files in trees.
        """
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
        """Find the pictures of a finished dataset."""
        return cls.at(folder, read_outputs(folder), places_of(folder))

    def of_images(self, ids: pl.Series) -> "Pictures":
        """Return the same for these images alone."""
        there = np.isin(self.ids, ids.to_numpy())
        spans = {name: span[there] for name, span in self.spans.items()}
        return replace(self, ids=self.ids[there], numbers=self.numbers[there], spans=spans)

    def place(self, output: Output, image_id: int) -> Place:
        """Return where an output should lie: in a shard if it is known to be in one, else in its
        tree. The format of its file is that of the dataset's output of this name.
        """
        output = next((own for own in self.outputs if own.name == output.name), output)
        row = int(np.searchsorted(self.ids, image_id))
        if row == len(self.ids) or self.ids[row] != image_id:
            path = file_of(output, image_id)
            return Place(path, path)
        file = self.files[self.numbers[row]]
        offset, size = self.spans[output.name][row]
        member = f"{image_id}.{members_of(self.outputs)[output.name]}"
        return Place(f"{file}/{member}", file, int(offset), int(size))

    def recorded(self, output: Output, row: Mapping[str, Any]) -> RecordedFile:
        """Return what a row of the manifest records of an output, and where it should lie."""
        image_id, prefix = row["id"], prefix_of(output.name)
        place = self.place(output, image_id)
        recorded = {name: row[f"{prefix}{name}"] for name in ("bytes", "sha256")}
        if place.size is None:
            return RecordedFile(place.name, **recorded)
        return RecordedFile(place.name, shard=place.file, offset=place.offset, **recorded)
