"""Write the parts of a pack, in worker processes or in this one. Workers import this module."""

import math
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from dafre_fast.core.atomic import scratch
from dafre_fast.core.errors import WorkerError
from dafre_fast.core.findings import Flaw
from dafre_fast.core.layout import STATE
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.samples import read_samples
from dafre_fast.engine.executors.base import Lost, Spec, ready
from dafre_fast.engine.executors.choose import create
from dafre_fast.pack.part import Part, Reading
from dafre_fast.pack.receipts import record
from dafre_fast.pack.records import Shard
from dafre_fast.pack.target import Target, put_part

_PRELOAD = ("dafre_fast.pack.writing", "dafre_fast.cli")


class Task(NamedTuple):
    """A part to write, the place of its pack, and the pictures of the dataset."""

    target: Target
    part: Part
    pictures: Pictures

    def carry_out(self, advance: Callable[[Flaw | None], None]) -> Shard:
        """Write the part, then record it; `advance` is called for each image, with what is wrong
        with it, if anything. Raises OutputError if a file cannot be written.
        """
        part, folder = self.part, self.target.folder
        path = folder / part.name
        reading = Reading(read_samples(self.pictures, part.rows, part.outputs), advance)
        files = {f"{path.name}{end}": file for end, file in part.write(path, reading).items()}
        shard = Shard(part.contents, part.rows.height, reading.damaged, files)
        if self.target.address:
            shard = put_part(self.target.address, folder, part.name, shard)
        record(folder, part.name, shard)
        return shard


async def carry_out_all(
    tasks: Iterable[Task], folder: Path, workers: int, take: Callable[[int, Shard], None]
) -> float:
    """Write the parts of the pack in `folder`, each in one worker, `workers` of them at once.

    `take` is called with the number of each task, from 0, and the shard it wrote. Returns the CPU
    time of the workers in seconds. Raises OutputError as `Task.carry_out` does, and WorkerError if
    two workers died at the same part.
    """
    paths = list[Path]()

    def take_all(results: list[tuple[Path, Shard | Lost]]) -> None:
        for kept, shard in results:
            number = int(kept.name)
            kept.unlink()
            if isinstance(shard, Lost):
                why = f"a worker {shard.loss.value} on it, twice ({shard.cause})"
                raise WorkerError(f"{paths[number]}: {why}")
            take(number, shard)

    with scratch(folder / STATE, "tasks") as keeping:
        spec = Spec[Path, Shard](
            initialise=ready(_carry_out_kept),
            on_results=take_all,
            workers=workers,
            job_timeout_seconds=math.inf,
            preload=_PRELOAD,
        )
        executor = create(spec)
        try:
            async with executor:
                for number, task in enumerate(tasks):
                    paths.append(folder / task.part.name)
                    kept = keeping / str(number)
                    kept.write_bytes(pickle.dumps(task))  # too large for a message
                    await executor.submit(kept)
                await executor.drain()
        finally:
            for kept in executor.abandoned:  # workers may have begun them
                _remove_partial(paths[int(kept.name)])
        return executor.cpu_seconds


def _carry_out_kept(path: Path) -> Shard:
    task: Task = pickle.loads(path.read_bytes())  # noqa: S301  (from our own parent)
    return task.carry_out(lambda _: None)


def _remove_partial(path: Path) -> None:
    for part in path.parent.glob(f".{path.name}*.part"):
        part.unlink(missing_ok=True)
