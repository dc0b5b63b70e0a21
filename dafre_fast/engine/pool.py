"""A bounded pool of worker processes. It knows nothing of images.

Each worker hangs on a pipe of its own, so that a worker killed at any moment leaves nothing locked
for the others. Jobs wait in the pipe, a few per worker, and results come back in the order of the
jobs: the first job held is therefore the one being worked on, and a worker that dies or hangs costs
that job alone. pebble 5.2 was measured before this was written: its shared queue costs the parent
160 microseconds per job, and its code shows one lock, which a dying worker can take along.
"""

import asyncio
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Generic, Self, TypeVar

J = TypeVar("J")
R = TypeVar("R")

_DEPTH = 4
"""Jobs per worker on their way, so that no worker waits for the parent."""
_ATTEMPTS = 2
_WATCH_SECONDS = 0.5
_GRACE_SECONDS = 0.5


class Lost(Enum):
    """Why a job has no result: its worker died, or took too long, on every attempt."""

    CRASHED = "crashed"
    TIMED_OUT = "timed out"


@dataclass(slots=True)
class _Held(Generic[J]):
    job: J
    attempt: int = 1


@dataclass(slots=True, eq=False)
class _Worker(Generic[J]):
    process: BaseProcess
    pipe: Connection
    held: deque[_Held[J]] = field(default_factory=deque)
    head_since: float = 0.0
    cpu_seconds: float = 0.0
    timed_out: bool = False


class Pool(Generic[J, R]):
    """Runs `work(job)` in up to `workers` processes; an async context.

    `work` must be picklable and is sent to each worker once; jobs and results must be picklable.
    `on_result(job, result)` is called in the parent for every job submitted, with a `Lost` where
    there is no result. An exception raised by `work` ends the pool: it is raised by `submit` or
    `drain`. `preload` names modules that the server process imports before it forks workers.
    """

    def __init__(
        self,
        work: Callable[[J], R],
        on_result: Callable[[J, R | Lost], None],
        *,
        workers: int,
        job_timeout_seconds: float,
        preload: Sequence[str] = (),
    ) -> None:
        self._work, self._on_result = work, on_result
        self._limit, self._timeout = workers, job_timeout_seconds
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._workers: list[_Worker[J]] = []
        self._room = asyncio.Semaphore(workers * _DEPTH)
        self._idle = asyncio.Event()
        self._idle.set()
        self._error: BaseException | None = None
        self._cpu_of_ended = 0.0
        self.abandoned: list[J] = []
        """Jobs that were under way when the pool was closed early; their outputs may be partial."""

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all workers up to the last result of each."""
        return self._cpu_of_ended + sum(worker.cpu_seconds for worker in self._workers)

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._watch_clocks())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._watch.cancel()
        if kind is not None:
            await self._abandon()
        for worker in self._workers[:]:
            self._end(worker)

    async def submit(self, job: J) -> None:
        """Hand a job over; waits while every worker has its hands full."""
        await self._room.acquire()
        if self._error:
            raise self._error
        self._idle.clear()
        self._give(_Held(job))

    async def drain(self) -> None:
        """Wait until every job submitted has had its `on_result`."""
        await self._idle.wait()
        if self._error:
            raise self._error

    def _give(self, held: _Held[J]) -> None:
        worker = min(self._workers, key=lambda worker: len(worker.held), default=None)
        if worker is None or (worker.held and len(self._workers) < self._limit):
            worker = self._start()
        if not worker.held:
            worker.head_since = time.monotonic()
        worker.held.append(held)
        with suppress(OSError):  # it just died: its end will be read, and the job given to another
            worker.pipe.send(held.job)

    def _start(self) -> _Worker[J]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker[J](process, ours)
        self._workers.append(worker)
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read, worker)
        return worker

    def _read(self, worker: _Worker[J]) -> None:
        try:
            result, worker.cpu_seconds = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if not worker.held:
            return  # the pool is being closed, and this job counts as abandoned
        held = worker.held.popleft()
        worker.head_since = time.monotonic()
        if isinstance(result, _Raised):
            self._fail(result.error)
        else:
            self._settle(held, result)

    def _settle(self, held: _Held[J], result: R | Lost) -> None:
        self._room.release()
        try:
            self._on_result(held.job, result)
        except Exception as error:  # noqa: BLE001  (the pool ends with it)
            self._fail(error)
        if not any(worker.held for worker in self._workers):
            self._idle.set()

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._room.release()
        self._idle.set()

    def _bury(self, worker: _Worker[J]) -> None:
        """A worker died: its first job is to blame and has one more try, the others move on."""
        why = Lost.TIMED_OUT if worker.timed_out else Lost.CRASHED
        held = worker.held
        self._end(worker)
        if not held:
            return
        first = held.popleft()
        for other in held:
            self._give(other)
        if first.attempt < _ATTEMPTS:
            self._give(_Held(first.job, first.attempt + 1))
        else:
            self._settle(first, why)

    async def _watch_clocks(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            now = time.monotonic()
            for worker in self._workers:
                if worker.held and now - worker.head_since > self._timeout:
                    worker.timed_out = True
                    worker.process.kill()

    async def _abandon(self) -> None:
        """Let workers finish what they are at, for a moment; the rest stays undone."""
        for worker in self._workers:
            while len(worker.held) > 1:
                self.abandoned.append(worker.held.pop().job)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), _GRACE_SECONDS)
        # After an error there is no wait, and others may be in the middle of theirs.
        self.abandoned += [held.job for worker in self._workers for held in worker.held]

    def _end(self, worker: _Worker[J]) -> None:
        asyncio.get_running_loop().remove_reader(worker.pipe.fileno())
        self._workers.remove(worker)
        self._cpu_of_ended += worker.cpu_seconds
        worker.pipe.close()
        worker.process.kill()  # it is idle, dead, hanging, or its job is abandoned
        worker.process.join()


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


def _serve(pipe: Connection, work: Callable[[J], R]) -> None:
    """The life of a worker: until the parent closes the pipe, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the parent decides
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        result: R | _Raised
        try:
            result = work(job)
        except BaseException as error:  # noqa: BLE001  (raised again in the parent)
            result = _Raised(error)
        try:
            pipe.send((result, time.process_time()))
        except OSError:
            return
