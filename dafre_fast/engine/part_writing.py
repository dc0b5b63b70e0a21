"""What is done to write a part of a pack, in a worker or without one. Imported by the workers."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from dafre_fast.engine.pack_formats import Part, Reading
from dafre_fast.engine.pictures import Pictures
from dafre_fast.engine.receipts import record
from dafre_fast.engine.samples import read_samples
from dafre_fast.model.findings import Flaw
from dafre_fast.model.packs import Shard


class Task(NamedTuple):
    """A part, the folder of its pack, and the pictures that it is written of."""

    folder: Path
    part: Part
    pictures: Pictures

    def carry_out(self, advance: Callable[[Flaw | None], None]) -> Shard:
        """Write the part and record it last; `advance` is called for each image. Raises OutputError
        where that is not possible.
        """
        part, path = self.part, self.folder / self.part.name
        reading = Reading(read_samples(self.pictures, part.rows, part.pictures), advance)
        files = {f"{path.name}{end}": file for end, file in part.write(path, reading).items()}
        shard = Shard(part.contents, part.rows.height, reading.damaged, files)
        record(self.folder, part.name, shard)
        return shard


def carry_out_kept(path: Path) -> Shard:
    """The task that was pickled into a file: those of thousands of rows are no messages."""
    task: Task = pickle.loads(path.read_bytes())  # noqa: S301  (from our own parent)
    return task.carry_out(lambda _: None)
