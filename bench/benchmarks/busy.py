"""Busy: the share of their time that workers are at jobs, with as many workers as cores.

Jobs take 2, 10 or 50 ms of CPU, or a mix of them, or make a full image of an original of the
corpus. The cost is what is lost: the time that workers wait while there is a job that none has
begun, and the CPU time of their parent. Starting the workers is not counted.
"""

import asyncio
import os
import resource
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.benchmarks import Workload
from bench.corpus import SEED
from bench.measure import Contender
from bench.records import Sample
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import usable_cores
from dafre_fast.engine.executors.base import Spec, ready
from dafre_fast.engine.executors.choose import create

_MILLISECONDS = (2, 10, 50)
_SECONDS_A_CORE = 1.5
_PRELOAD = ("dafre_fast.pixels.making", "dafre_fast.core.jit:load_all", __name__)


class Turn(NamedTuple):
    """A job that was done: its worker, when it began and ended in seconds, and how often the worker
    had waited by then.
    """

    worker: int
    began: float
    waits_before: int
    ended: float
    waits: int


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    rng, cores = np.random.default_rng(SEED), usable_cores()
    share = min(workload.jobs / 10_000, 1.0)
    found = []

    def compete(name: str, work: Callable[[Any], Turn], jobs: Sequence[object]) -> None:
        found.append(Contender(name, partial(_take, work, jobs), len(jobs)))

    for milliseconds in _MILLISECONDS:
        count = max(round(share * cores * _SECONDS_A_CORE * 1000 / milliseconds), 2)
        compete(f"{milliseconds} ms", spin, [milliseconds / 1000] * count)
    mixed = rng.lognormal(np.log(0.0075), 0.9, max(round(share * cores * 150), 2))
    compete("mixed, 11 ms", spin, mixed.tolist())
    paths = [str(one.path) for one in workload.corpus.originals]
    chosen = rng.choice(len(paths), max(round(share * workload.many), 2))
    compete("originals", make, [paths[one] for one in chosen])
    yield found


def spin(seconds: float) -> Turn:
    """Take so much of the CPU."""
    return _turn(partial(_spin, seconds))


def make(path: str) -> Turn:
    """Make a full image."""
    from dafre_fast.pixels.making import make_images

    return _turn(lambda: make_images(Path(path).read_bytes(), Recipe()))


def _spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def _turn(work: Callable[[], object]) -> Turn:
    waits, began = _waits(), time.monotonic()
    work()
    return Turn(os.getpid(), began, waits, time.monotonic(), _waits())


def _waits() -> int:
    """Return how often this process has waited for anything but a core."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def _take(work: Callable[[Any], Turn], jobs: Sequence[object]) -> Sample:
    """Do the jobs with a worker per core, once all are started."""
    done: list[tuple[object, Any]] = []
    workers = usable_cores()

    async def submit_all() -> float:
        spec = Spec[Any, Any](
            initialise=ready(work),
            on_results=done.extend,
            workers=workers,
            job_timeout_seconds=60.0,
            preload=_PRELOAD,
        )
        async with create(spec) as executor:
            for job in jobs[:workers]:
                await executor.submit(job)
            await executor.drain()
            done.clear()
            began = time.process_time()
            for job in jobs:
                await executor.submit(job)
            await executor.drain()
            return time.process_time() - began

    cpu_seconds = asyncio.run(submit_all())
    turns = [turn for _, turn in done]
    seconds = max(turn.ended for turn in turns) - min(turn.began for turn in turns)
    at_work, waited = sum(turn.ended - turn.began for turn in turns), sum(waits(turns, workers))
    return Sample(cpu_seconds + waited, seconds, busy=at_work / (at_work + waited))


def waits(turns: Sequence[Turn], workers: int) -> list[float]:
    """Return how long workers waited each time while a job was there to be done, in seconds.

    Only a worker that gave up its core has waited; one that lost it to other processes has not.
    """
    first_began = min(turn.began for turn in turns)
    last_began = max(turn.began for turn in turns)
    by_worker = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: turn.began):
        by_worker[turn.worker].append(turn)
    found = [last_began - first_began] * (workers - len(by_worker))
    for own in by_worker.values():
        found += [own[0].began - first_began, max(last_began - own[-1].ended, 0.0)]
        found += [
            after.began - before.ended
            for before, after in pairwise(own)
            if after.waits_before > before.waits
        ]
    return [seconds for seconds in found if seconds]
