"""A bounded pool of worker processes. It knows nothing of images.

The parent does its part in rounds, ten a second: it takes all results that have come, looks for
workers that hang, and hands out jobs. Each worker hangs on a socket of its own, so that one killed
at any moment leaves nothing locked for the others. It holds about as many jobs as it finishes in
two rounds, so that what waits behind a job is a fifth of a second of work, and no less than two, so
that it does not wait for the parent. A result is sent as soon as it is there, in the order of the
jobs: the first job held is therefore the one being worked on, and a worker that dies or hangs costs
that job alone.

Rounds are what makes the parent cheap: waking up for every result cost it 160 microseconds per job
of 5 ms with two workers and 67 with 64; rounds cost 25 and 16. pebble 5.2 was measured before this
was written: its shared queue costs 160, and its code shows one lock, which a dying worker can take
along.
"""

import asyncio
import pickle
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from selectors import EVENT_READ, DefaultSelector
from typing import Generic, Self, TypeVar

J = TypeVar("J")
R = TypeVar("R")

_ROUND_SECONDS = 0.1
_FIRST_DEPTH, _LEAST_DEPTH = 4, 2
"""Jobs that a worker holds, at first and at least."""
_ATTEMPTS = 2
_GRACE_SECONDS = 0.5

_CPU_OF_START = time.process_time()
"""What it took to come here: in a worker, the start of the server that it was forked from, which
imports this module last."""


class Lost(Enum):
    """Why a job has no result: its worker died, or took too long, on every attempt."""

    CRASHED = "crashed"
    TIMED_OUT = "timed out"


@dataclass(slots=True, eq=False)
class _Held(Generic[J]):
    job: J
    attempt: int = 1


@dataclass(slots=True, eq=False)
class _Worker(Generic[J]):
    process: BaseProcess
    socket: socket.socket
    depth: int = _FIRST_DEPTH
    held: deque[_Held[J]] = field(default_factory=deque)
    head_since: float = 0.0
    unsent: bytes = b""
    unread: bytes = b""
    cpu_seconds: float = 0.0
    timed_out: bool = False


class Pool(Generic[J, R]):
    """Runs `work(job)` in up to `workers` processes; an async context.

    `work` must be picklable and is sent to each worker once; jobs and results must be picklable.
    `on_results` is called in the parent with pairs of a job and its result, several at a time, and
    once for every job submitted; the result is a `Lost` where there is none. An exception raised by
    `work` or `on_results` ends the pool: it is raised by `submit` or `drain`. `preload` names
    modules that the server process imports before it forks workers.
    """

    def __init__(
        self,
        work: Callable[[J], R],
        on_results: Callable[[list[tuple[J, R | Lost]]], None],
        *,
        workers: int,
        job_timeout_seconds: float,
        preload: Sequence[str] = (),
    ) -> None:
        self._work, self._on_results = work, on_results
        self._limit, self._timeout = workers, job_timeout_seconds
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([*preload, __name__])
        self._workers: list[_Worker[J]] = []
        self._sockets = DefaultSelector()
        self._waiting: deque[_Held[J]] = deque()
        self._room = workers * _FIRST_DEPTH
        self._round_over = asyncio.Event()
        self._error: BaseException | None = None
        self._cpu_of_server = self._cpu_of_ended = 0.0
        self.abandoned: list[J] = []
        """Jobs without a result when the pool was closed early; their outputs may be partial."""

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all workers up to the last result of each, and of their server's start."""
        cpu_of_workers = self._cpu_of_ended + sum(worker.cpu_seconds for worker in self._workers)
        return self._cpu_of_server + cpu_of_workers

    async def __aenter__(self) -> Self:
        self._next_round = asyncio.get_running_loop().call_soon(self._go_round)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._next_round.cancel()
        try:
            if kind is not None:
                await self._let_finish()
        finally:
            for worker in self._workers:
                self._waiting += worker.held
            self.abandoned += [held.job for held in self._waiting]
            for worker in self._workers[:]:
                self._end(worker)
            self._sockets.close()

    async def submit(self, job: J) -> None:
        """Hand a job over; waits while every worker has its hands full."""
        await self._until(lambda: len(self._waiting) < self._room)
        self._waiting.append(_Held(job))

    async def drain(self) -> None:
        """Wait until `on_results` has had every job submitted."""
        await self._until(
            lambda: not self._waiting and not any(worker.held for worker in self._workers)
        )

    async def _until(self, true: Callable[[], bool]) -> None:
        while not self._error and not true():
            await self._round_over.wait()
        if self._error:
            raise self._error

    def _go_round(self) -> None:
        try:
            self._take_results()
            self._kill_hanging()
            self._hand_out()
        except Exception as error:  # noqa: BLE001  (raised again by submit and drain)
            self._error = error
        self._round_over.set()  # wakes those who wait now, and no one later
        self._round_over.clear()
        if not self._error:
            loop = asyncio.get_running_loop()
            self._next_round = loop.call_later(_ROUND_SECONDS, self._go_round)

    def _take_results(self) -> None:
        ready = self._sockets.select(0)
        results = [pair for key, _ in ready for pair in self._results_of(key.data)]
        if results:
            self._on_results(results)

    def _results_of(self, worker: _Worker[J]) -> Iterator[tuple[J, R | Lost]]:
        try:
            data = worker.socket.recv(1 << 18)  # more than a socket holds
        except OSError:
            data = b""
        if not data:
            yield from self._bury(worker)
            return
        held_before = len(worker.held)
        messages, worker.unread = _split(worker.unread + data)
        for message in messages:
            answer = pickle.loads(message)  # noqa: S301  (from our own worker)
            result, worker.cpu_seconds, self._cpu_of_server = answer
            job = worker.held.popleft().job
            if isinstance(result, _Raised):
                self._error = self._error or result.error
            else:
                yield job, result
        worker.depth = _LEAST_DEPTH + 2 * (held_before - len(worker.held))
        worker.head_since = time.monotonic()

    def _bury(self, worker: _Worker[J]) -> Iterator[tuple[J, Lost]]:
        """A worker died: its first job is to blame and has one more try, the others move on."""
        why = Lost.TIMED_OUT if worker.timed_out else Lost.CRASHED
        held = worker.held
        self._end(worker)
        if held and held[0].attempt == _ATTEMPTS:
            yield held.popleft().job, why
        elif held:
            held[0].attempt += 1
        self._waiting.extendleft(reversed(held))

    def _kill_hanging(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.held and now - worker.head_since > self._timeout:
                worker.timed_out = True
                worker.process.kill()

    def _hand_out(self) -> None:
        """Fill the hands of workers evenly; start more while there are jobs without one."""
        idle = sum(not worker.held for worker in self._workers)
        for _ in range(min(len(self._waiting) - idle, self._limit - len(self._workers))):
            self._start()
        batches: dict[_Worker[J], list[J]] = {}
        takers = sorted(self._workers, key=lambda worker: len(worker.held))
        while self._waiting and takers:
            takers = [worker for worker in takers if len(worker.held) < worker.depth]
            for worker in takers[: len(self._waiting)]:
                held = self._waiting.popleft()
                if not worker.held:
                    worker.head_since = time.monotonic()
                worker.held.append(held)
                batches.setdefault(worker, []).append(held.job)
        for worker, jobs in batches.items():
            worker.unsent += pickle.dumps(jobs)
        for worker in self._workers:
            if worker.unsent:
                with suppress(OSError):  # full, or it just died: its end will be read
                    worker.unsent = worker.unsent[worker.socket.send(worker.unsent) :]
        missing = self._limit - len(self._workers)
        self._room = sum(worker.depth for worker in self._workers) + missing * _FIRST_DEPTH

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        process = self._context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        process.start()
        theirs.close()
        ours.setblocking(False)
        worker = _Worker[J](process, ours)
        self._workers.append(worker)
        self._sockets.register(ours, EVENT_READ, worker)

    async def _let_finish(self) -> None:
        """Let workers finish what they are at, for a moment; the rest stays undone."""
        under_way = {worker.held[0] for worker in self._workers if worker.held}
        end = time.monotonic() + _GRACE_SECONDS
        while under_way and not self._error and time.monotonic() < end:
            await asyncio.sleep(_ROUND_SECONDS)
            self._take_results()
            under_way &= {held for worker in self._workers for held in worker.held}

    def _end(self, worker: _Worker[J]) -> None:
        self._sockets.unregister(worker.socket)
        self._workers.remove(worker)
        self._cpu_of_ended += worker.cpu_seconds
        worker.socket.close()
        worker.process.kill()  # it is idle, dead, hanging, or its job is abandoned
        worker.process.join()


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


def _split(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole messages, each after its length in four bytes, and the rest."""
    messages, start = [], 0
    while (at := start + 4) <= len(data):
        end = at + int.from_bytes(data[start:at], "big")
        if end > len(data):
            break
        messages.append(data[at:end])
        start = end
    return messages, data[start:]


def _serve(parent: socket.socket, work: Callable[[J], R]) -> None:
    """The life of a worker: until the parent closes the socket, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the parent decides
    batches = parent.makefile("rb")
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            for job in pickle.load(batches):  # noqa: S301  (from our own parent)
                parent.sendall(_answer(work, job))


def _answer(work: Callable[[J], R], job: J) -> bytes:
    result: R | _Raised
    try:
        result = work(job)
    except BaseException as error:  # noqa: BLE001  (raised again in the parent)
        result = _Raised(error)
    message = pickle.dumps((result, time.process_time(), _CPU_OF_START))
    return len(message).to_bytes(4, "big") + message
