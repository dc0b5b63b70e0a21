"""Workers: the whole `resize` command, start included, with 1, 2, 4, … workers up to the cores."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmarks import Workload
from bench.corpus import copies
from bench.measure import Contender, run, timed_in_fresh_folder
from dafre_fast.core.settings.running import usable_cores


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    with TemporaryDirectory(dir=workload.folder) as temporary:
        originals = copies(workload.corpus, workload.many, Path(temporary) / "original")
        size = len(originals.originals), originals.megapixels
        found = []
        for workers in worker_counts(usable_cores()):
            work = partial(_resize, originals.folder, workers)
            take = partial(timed_in_fresh_folder, work, Path(temporary))
            found.append(Contender(str(workers), take, *size))
        yield found


def worker_counts(cores: int) -> list[int]:
    """Return the powers of two up to the number of cores, and that number."""
    return sorted({*(1 << power for power in range(cores.bit_length())), cores})


def _resize(originals: Path, workers: int, output: Path) -> None:
    flags = ("--input", originals, "--output", output, "--workers", workers, "--max-refused", 0)
    run(sys.executable, "-m", "dafre_fast.resize", *flags)
