"""Worker processes on this machine. Knows nothing of images.

The parent does its part in rounds, ten a second: it takes all results that have come, looks for
workers that hang, and hands out jobs. Rounds are what makes the parent cheap: waking up for every
result took 160 microseconds per job of 5 ms with two workers and 67 with 64; rounds take 25 and 16.
pebble 5.2, measured before this was written, took 160 for its shared queue, whose one lock a dying
worker can take along. A worker that would have nothing to do before the next round rings for one.

`schedule` decides who gets which job, `processes` starts workers and talks to them, `worker` is
what runs there, and `forkserver` prepares the process that they are forked from.
"""

import asyncio
import os
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from typing import Generic, Self

from dafre_fast.core import compiling
from dafre_fast.core.errors import WorkerError
from dafre_fast.core.limits import most_workers
from dafre_fast.engine.executors import forkserver
from dafre_fast.engine.executors.base import J, Loss, Lost, R, Spec
from dafre_fast.engine.executors.main_guard import UNGUARDED, no_main_guard
from dafre_fast.engine.executors.messages import MOST_BYTES
from dafre_fast.engine.executors.processes import FirstStart, WorkerProcess
from dafre_fast.engine.executors.schedule import Schedule, Worker
from dafre_fast.engine.executors.worker import Batch, Begun, Raised

_ROUND_SECONDS, _SHORT_ROUND_SECONDS = 0.1, 0.01
"""The short ones are for while the first worker is being started, or a message found no room."""
_GRACE_SECONDS = 0.5
_FAILED_STARTS = 5
"""Workers that may die one after the other before one of them is ready, besides as many as there
are at once."""


class LocalExecutor(Generic[J, R]):
    """An `Executor` whose workers are processes of this machine."""

    def __init__(self, spec: Spec[J, R]) -> None:
        self._spec = spec
        self._context = forkserver.context()
        self._schedule = Schedule[J](min(spec.workers, most_workers()))
        self._processes: dict[Worker[J], WorkerProcess] = {}
        self._sockets = DefaultSelector()
        self._bell, self._bell_of_workers = socket.socketpair()
        self._failed_starts = 0
        self._first: FirstStart | None = None
        self._round_over = asyncio.Event()
        self._error: BaseException | None = None
        self._cpu_of_server = self._cpu_of_ended = 0.0
        self.abandoned: list[J] = []

    @property
    def cpu_seconds(self) -> float:
        running = sum(process.cpu_seconds for process in self._processes.values())
        return self._cpu_of_server + self._cpu_of_ended + running

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._bell.setblocking(False)
        loop.add_reader(self._bell, self._answer_bell)
        self._next_round = loop.call_soon(self._go_round)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._next_round.cancel()
        asyncio.get_running_loop().remove_reader(self._bell)
        try:
            if kind is not None:
                await self._let_finish()
        finally:
            self.abandoned += self._schedule.unfinished()
            if self._first:
                self._first.abandon()
            for process in self._processes.values():
                process.kill()  # all of them, before any is waited for
            for worker in [*self._processes]:
                self._end(worker)
            self._sockets.close()
            self._bell.close()
            self._bell_of_workers.close()

    async def submit(self, job: J) -> None:
        await self._until(lambda: not self._schedule.is_full)
        self._schedule.add(job)

    async def drain(self) -> None:
        await self._until(lambda: self._schedule.is_empty)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not self._error and not true():
            await self._round_over.wait()
        if self._error:
            raise self._error

    def _answer_bell(self) -> None:
        """Go round now, since a worker rang."""
        with suppress(BlockingIOError):
            self._bell.recv(MOST_BYTES)
        if not self._error:
            self._next_round.cancel()
            self._go_round()

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
            soon = self._first or any(one.mid_message for one in self._processes.values())
            pause = _SHORT_ROUND_SECONDS if soon else _ROUND_SECONDS
            self._next_round = loop.call_later(pause, self._go_round)

    def _take_results(self) -> None:
        ready = self._sockets.select(0)
        results = [pair for key, _ in ready for pair in self._results_of(key.data)]
        if results:
            self._spec.on_results(results)

    def _results_of(self, worker: Worker[J]) -> Iterator[tuple[J, R | Lost]]:
        process = self._processes[worker]
        messages = process.receive()
        if messages is None:
            yield from self._bury(worker)
            return
        if messages and not worker.ready:
            self._begun(worker, messages.pop(0))
        answers = [pickle.loads(message) for message in messages]  # noqa: S301  (our own worker's)
        seconds = [seconds for _, _, seconds in answers]
        jobs = self._schedule.finish(worker, seconds, time.monotonic())
        for job, (result, cpu_seconds, _) in zip(jobs, answers, strict=True):
            process.cpu_seconds = cpu_seconds
            if isinstance(result, Raised):
                self._error = self._error or result.error
            else:
                yield job, result

    def _begun(self, worker: Worker[J], message: bytes) -> None:
        begun: Begun = pickle.loads(message)  # noqa: S301  (from our own worker)
        self._cpu_of_server = begun.server_cpu_seconds
        if begun.failure is not None:
            why = f"a worker could not be initialised: {begun.failure}"
            self._error = self._error or WorkerError(why)
        worker.ready, self._failed_starts = True, 0

    def _bury(self, worker: Worker[J]) -> Iterator[tuple[J, R | Lost]]:
        """Remove a worker that died; the job it was working on is tried again, or has a result."""
        process = self._end(worker)
        lost = process.loss()
        if process.exit_status == UNGUARDED:
            self._error = self._error or no_main_guard()
        elif not worker.ready:
            self._count_failed_start(lost.cause)
        if blamed := self._schedule.remove(worker):
            result = self._spec.on_death(blamed.job, lost)
            if not isinstance(result, Lost) or not self._schedule.retry(blamed):
                yield blamed.job, result

    def _kill_hanging(self) -> None:
        limit = self._spec.job_timeout_seconds
        for worker in self._schedule.overdue(time.monotonic(), limit):
            self._processes[worker].kill(Lost(Loss.TIMED_OUT, f"{limit:g} s"))

    def _hand_out(self) -> None:
        """Start workers for jobs that none can take, and give each worker its jobs."""
        self._start_missing()
        for process in self._processes.values():
            process.send_rest()
        handed = self._schedule.hand_out(time.monotonic())
        for worker, jobs in handed.jobs.items():
            self._processes[worker].send(Batch(jobs, ring=handed.more))

    def _start_missing(self) -> None:
        """Start workers for jobs that none can take. The first is started in a thread, since it
        waits for the server; the others then follow at once.
        """
        if self._processes:
            for _ in range(self._schedule.missing()):
                self._adopt(lambda: self._start(os.devnull))
        elif self._first is None:
            if self._schedule.missing():
                self._first = FirstStart(self._start)
        elif self._first.done:
            first, self._first = self._first, None
            self._adopt(first.process)
            self._start_missing()
        elif self._first.compiles:
            compiling.report()

    def _start(self, compiles: str) -> WorkerProcess:
        spec = self._spec
        return WorkerProcess.start(
            self._context,
            self._bell_of_workers,
            spec.initialise,
            spec.memory_bytes,
            spec.preload,
            compiles,
        )

    def _adopt(self, start: Callable[[], WorkerProcess]) -> None:
        try:
            process = start()
        except (OSError, EOFError) as error:  # the server was killed: the next start brings another
            self._count_failed_start(str(error) or type(error).__name__)
            return
        worker = self._schedule.add_worker()
        self._processes[worker] = process
        self._sockets.register(process, EVENT_READ, worker)

    def _count_failed_start(self, cause: str) -> None:
        self._failed_starts += 1
        if self._failed_starts > self._spec.workers + _FAILED_STARTS:
            count = f"{self._failed_starts} failed one after the other"
            message = f"no worker can be started: {count}, the last with {cause}"
            self._error = self._error or WorkerError(message)

    async def _let_finish(self) -> None:
        """Let workers finish the jobs they are working on, for a moment."""
        under_way = self._schedule.under_way()
        end = time.monotonic() + _GRACE_SECONDS
        while under_way and not self._error and time.monotonic() < end:
            await asyncio.sleep(_ROUND_SECONDS)
            self._take_results()
            under_way &= self._schedule.held()

    def _end(self, worker: Worker[J]) -> WorkerProcess:
        process = self._processes.pop(worker)
        self._sockets.unregister(process)
        self._cpu_of_ended += process.cpu_seconds
        process.end()
        return process
