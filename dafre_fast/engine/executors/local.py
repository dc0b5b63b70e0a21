"""A bounded pool of worker processes. It knows nothing of images.

The parent does its part in rounds, ten a second: it takes all results that have come, looks for
workers that hang, and hands out jobs. Each worker hangs on a socket of its own, so that one killed
at any moment leaves nothing locked for the others. It holds about as many jobs as it finishes in
two rounds, so that what waits behind a job is a fifth of a second of work, and no less than two, so
that it does not wait for the parent. A result is sent as soon as it is there, in the order of the
jobs: the first job held is therefore the one being worked on, and a worker that dies or hangs costs
that job alone. It is tried once more, by a worker that holds nothing else; what was held behind it
goes to others at once.

Rounds are what makes the parent cheap: waking up for every result cost it 160 microseconds per job
of 5 ms with two workers and 67 with 64; rounds cost 25 and 16. pebble 5.2 was measured before this
was written: its shared queue costs 160, and its code shows one lock, which a dying worker can take
along.
"""

import asyncio
import os
import pickle
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from multiprocessing import get_context, resource_tracker
from multiprocessing.process import BaseProcess
from selectors import EVENT_READ, DefaultSelector
from typing import Generic, NamedTuple, Self, TypeVar

from dafre_fast.core.errors import WorkerError
from dafre_fast.engine.executors.main_guard import UNGUARDED, no_main_guard

J = TypeVar("J")
R = TypeVar("R")

_ROUND_SECONDS = 0.1
_FIRST_DEPTH, _LEAST_DEPTH = 4, 2
"""Jobs that a worker holds, at first and at least."""
_ATTEMPTS = 2
_GRACE_SECONDS = 0.5
_FAILED_STARTS = 5
"""Workers that may die one after the other before one of them is ready, besides as many as there
are at once."""
_OUT_OF_MEMORY = 87
"""Exit status of a worker that ran out of memory."""
_HELLO = b""
_SERVER = "dafre_fast.engine.executors.forkserver"

_CPU_OF_START = time.process_time()
"""What it took to come here: in a worker, the start of the server that it was forked from, which
imports this module last."""


class Loss(Enum):
    """What became of the worker at a job."""

    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "ran out of memory"


class Lost(NamedTuple):
    """Why a job has no result: how the last worker at it ended, and the signal or limit."""

    loss: Loss
    cause: str


@dataclass(slots=True, eq=False)
class _Held(Generic[J]):
    job: J
    attempt: int = 1


@dataclass(slots=True, eq=False)
class _Worker(Generic[J]):
    process: BaseProcess
    socket: socket.socket
    ready: bool = False
    depth: int = _FIRST_DEPTH
    held: deque[_Held[J]] = field(default_factory=deque)
    head_since: float = 0.0
    unsent: bytes = b""
    unread: bytes = b""
    cpu_seconds: float = 0.0
    timed_out: bool = False

    @property
    def room(self) -> int:
        """Jobs that it can take. One at a second attempt is left alone with it."""
        if self.held and self.held[0].attempt > 1:
            return 0
        return self.depth - len(self.held)


class Pool(Generic[J, R]):
    """Runs `work(job)` in up to `workers` processes; an async context.

    `work` must be picklable and is sent to each worker once; jobs and results must be picklable.
    `on_results` is called in the parent with pairs of a job and its result, several at a time, and
    once for every job submitted; the result is a `Lost` where there is none. `on_death` is called
    with a job whose worker died, before it is tried again, and may know its result nevertheless.
    `memory_bytes` is what a worker may take besides what it has when it starts (Linux).
    `preload` names modules that the server process imports before it forks workers.

    An exception raised by `work` or by one of these ends the pool: it is raised by `submit` or
    `drain`. Only a MemoryError in `work` is a `Lost`. Raises WorkerError where no worker can start.
    """

    def __init__(
        self,
        work: Callable[[J], R],
        on_results: Callable[[list[tuple[J, R | Lost]]], None],
        *,
        workers: int,
        job_timeout_seconds: float,
        memory_bytes: int | None = None,
        on_death: Callable[[J, Lost], R | Lost] = lambda _, lost: lost,
        preload: Sequence[str] = (),
    ) -> None:
        self._work, self._on_results, self._on_death = work, on_results, on_death
        self._limit, self._timeout, self._memory = workers, job_timeout_seconds, memory_bytes
        self._context = get_context("forkserver")
        self._context.set_forkserver_preload([_SERVER, *preload, __name__])
        self._workers: list[_Worker[J]] = []
        self._sockets = DefaultSelector()
        self._waiting: deque[_Held[J]] = deque()
        self._again: deque[_Held[J]] = deque()
        self._failed_starts = 0
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
            held = [held for worker in self._workers for held in worker.held]
            self.abandoned += [held.job for held in (*self._again, *self._waiting, *held)]
            for worker in self._workers:
                worker.process.kill()  # all of them, before any is waited for
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
            lambda: (
                not (self._waiting or self._again or any(worker.held for worker in self._workers))
            )
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
            if message == _HELLO:
                worker.ready, self._failed_starts = True, 0
                continue
            answer = pickle.loads(message)  # noqa: S301  (from our own worker)
            result, worker.cpu_seconds, self._cpu_of_server = answer
            job = worker.held.popleft().job
            if isinstance(result, _Raised):
                self._error = self._error or result.error
            else:
                yield job, result
        if finished := held_before - len(worker.held):
            worker.depth = _LEAST_DEPTH + 2 * finished
        worker.head_since = time.monotonic()

    def _bury(self, worker: _Worker[J]) -> Iterator[tuple[J, R | Lost]]:
        """A worker died: its first job is to blame and has one more try, the others move on."""
        self._end(worker)
        if worker.process.exitcode == UNGUARDED:
            self._error = self._error or no_main_guard()
        elif not worker.ready:
            self._count_failed_start(self._why(worker).cause)
        elif worker.held:
            blamed = worker.held.popleft()
            result = self._on_death(blamed.job, self._why(worker))
            if blamed.attempt == _ATTEMPTS or not isinstance(result, Lost):
                yield blamed.job, result
            else:
                blamed.attempt += 1
                self._again.append(blamed)
        for held in reversed(worker.held):
            (self._waiting if held.attempt == 1 else self._again).appendleft(held)

    def _why(self, worker: _Worker[J]) -> Lost:
        status = worker.process.exitcode or 0
        if worker.timed_out:
            return Lost(Loss.TIMED_OUT, f"{self._timeout:g} s")
        if status == _OUT_OF_MEMORY:
            return Lost(Loss.OUT_OF_MEMORY, "MemoryError")
        if status >= 0:
            return Lost(Loss.CRASHED, f"exit status {status}")
        # The kernel kills so where memory is short, and glib traps where it gets none.
        starved = -status in {signal.SIGKILL, signal.SIGTRAP}
        names = {one.value: one.name for one in signal.Signals}
        cause = names.get(-status, f"signal {-status}")
        return Lost(Loss.OUT_OF_MEMORY if starved else Loss.CRASHED, cause)

    def _kill_hanging(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.held and worker.ready and now - worker.head_since > self._timeout:
                worker.timed_out = True
                worker.process.kill()

    def _hand_out(self) -> None:
        """Fill the hands of workers evenly; start more while there are jobs without one."""
        idle = sum(not worker.held for worker in self._workers)
        handless = len(self._again) + len(self._waiting) - idle
        for _ in range(min(handless, self._limit - len(self._workers))):
            self._start()
        batches: dict[_Worker[J], list[J]] = {}

        def give(worker: _Worker[J], held: _Held[J]) -> None:
            if not worker.held:
                worker.head_since = time.monotonic()
            worker.held.append(held)
            batches.setdefault(worker, []).append(held.job)

        takers = sorted(self._workers, key=lambda worker: len(worker.held))
        for worker in takers:
            if self._again and not worker.held:
                give(worker, self._again.popleft())
        while self._waiting and (takers := [worker for worker in takers if worker.room > 0]):
            for worker in takers[: len(self._waiting)]:
                give(worker, self._waiting.popleft())
        for worker, jobs in batches.items():
            worker.unsent += pickle.dumps(jobs)
        self._send()
        missing = self._limit - len(self._workers)
        self._room = sum(worker.depth for worker in self._workers) + missing * _FIRST_DEPTH

    def _send(self) -> None:
        for worker in self._workers:
            if worker.unsent:
                with suppress(OSError):  # full, or it just died: its end will be read
                    worker.unsent = worker.unsent[worker.socket.send(worker.unsent) :]

    def _start(self) -> None:
        try:
            process, ours = self._fork()
        except (OSError, EOFError) as error:  # the server was killed: the next start brings another
            self._count_failed_start(str(error) or type(error).__name__)
            return
        ours.setblocking(False)
        worker = _Worker[J](process, ours)
        self._workers.append(worker)
        self._sockets.register(ours, EVENT_READ, worker)

    def _fork(self) -> tuple[BaseProcess, socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs:
            process = self._context.Process(
                target=_serve, args=(theirs, self._work, self._memory), daemon=True
            )
            try:
                with _ctrl_c_blocked():
                    process.start()
            except BaseException:
                ours.close()
                raise
        return process, ours

    def _count_failed_start(self, cause: str) -> None:
        self._failed_starts += 1
        if self._failed_starts > self._limit + _FAILED_STARTS:
            count = f"{self._failed_starts} failed one after the other"
            message = f"no worker can be started: {count}, the last with {cause}"
            self._error = self._error or WorkerError(message)

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


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Ctrl-C reaches the whole group, and what starts is to leave it to the parent. A server that
    starts with the signal blocked keeps it so, and so do its workers.
    """
    resource_tracker.ensure_running()  # its own start would unblock it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


def _serve(parent: socket.socket, work: Callable[[J], R], memory_bytes: int | None) -> None:
    """The life of a worker: until the parent closes the socket, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the parent decides
    from dafre_fast.engine.executors.forkserver import (
        die_with_server,  # not for the parent to import
    )

    die_with_server()
    if memory_bytes is not None:
        _bound_memory(memory_bytes)
    batches = parent.makefile("rb")
    try:
        _send_message(parent, _HELLO)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries talk there of every bad file
        while True:
            for job in pickle.load(batches):  # noqa: S301  (from our own parent)
                _send_message(parent, _answer(work, job))
    except (EOFError, OSError, pickle.UnpicklingError):
        pass
    except MemoryError:
        os._exit(_OUT_OF_MEMORY)  # and with it all that it holds


def _bound_memory(more: int) -> None:
    """Let this process take so many bytes more than it has. What is reserved and not used, as
    numba and malloc do by the gigabyte, is not counted.
    """
    with suppress(ImportError, OSError, StopIteration):
        import resource

        with open("/proc/self/status") as status:  # noqa: PTH123
            taken = next(int(line.split()[1]) for line in status if line.startswith("VmData:"))
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        bound = taken * 1024 + more
        if most != resource.RLIM_INFINITY:
            bound = min(bound, most)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, most))


def _answer(work: Callable[[J], R], job: J) -> bytes:
    result: R | _Raised
    try:
        result = work(job)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  (raised again in the parent)
        result = _Raised(error)
    return pickle.dumps((result, time.process_time(), _CPU_OF_START))


def _send_message(to: socket.socket, message: bytes) -> None:
    to.sendall(len(message).to_bytes(4, "big") + message)
