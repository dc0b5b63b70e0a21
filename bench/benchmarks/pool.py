"""Pool: the CPU time of the parent process per job, with empty jobs and with tiny originals.

The parent's time limits how many workers can be kept busy.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr
from functools import partial
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pyvips

from bench.benchmarks import Workload
from bench.measure import Contender, timed, timed_in_fresh_folder
from bench.records import Role
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running, usable_cores
from dafre_fast.engine.executors.base import Lost, Spec, ready
from dafre_fast.engine.executors.choose import create
from dafre_fast.resize.run import resize
from dafre_fast.resize.settings import ResizeRun

_TIMEOUT_SECONDS = 60.0


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    jobs = workload.jobs
    with TemporaryDirectory(dir=workload.folder) as temporary:
        tiny = Path(temporary) / "tiny"
        _write_tiny(tiny, jobs)
        ours, executor = partial(_ours, jobs), partial(_executor, jobs)
        resize = partial(timed_in_fresh_folder, partial(_resize, tiny), Path(temporary))
        clock = time.process_time
        peer = partial(timed, executor, clock)
        yield [
            Contender("jobs of no work", partial(timed, ours, clock), jobs, warm_up=ours),
            Contender("ProcessPoolExecutor", peer, jobs, role=Role.PEER, warm_up=executor),
            Contender("tiny originals", partial(resize, clock), jobs, at_most=3),
        ]


def _ours(jobs: int) -> None:
    done: list[tuple[int, int | Lost]] = []

    async def submit_all() -> None:
        spec = Spec[int, int](
            initialise=ready(abs),
            on_results=done.extend,
            workers=usable_cores(),
            job_timeout_seconds=_TIMEOUT_SECONDS,
        )
        async with create(spec) as executor:
            for job in range(jobs):
                await executor.submit(job)
            await executor.drain()

    asyncio.run(submit_all())
    assert len(done) == jobs


def _executor(jobs: int) -> None:
    with ProcessPoolExecutor(usable_cores(), get_context("forkserver")) as processes:
        futures = [processes.submit(abs, job) for job in range(jobs)]
        assert sum(future.result() >= 0 for future in futures) == jobs


def _resize(tiny: Path, output: Path) -> None:
    with redirect_stderr(StringIO()):
        summary = resize(ResizeRun(input=tiny, output=output), Recipe(), Running())
    assert not summary.refused, summary.refused


def _write_tiny(folder: Path, count: int) -> None:
    data = pyvips.Image.black(16, 16, bands=3).jpegsave_buffer()
    for number in range(count):
        path = folder / f"{number % 100:02d}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
