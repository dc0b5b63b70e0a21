"""Assign jobs to workers: a state machine without processes, sockets or a clock.

A worker holds jobs for about a fifth of a second, by the mean of the last ones, and no fewer than
two, so that it need not wait for its parent between them. While fewer jobs wait than the workers
could hold, as at the end of a run, each holds no more than half of its share of all that are left,
so that none has a queue when others have nothing to do.

A worker does its jobs in order, so the first one it holds is the one it is working on: if it dies,
that job alone is to blame and gets a second attempt, by a worker that holds nothing else. The
others go back to the front of the queue.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

J = TypeVar("J")

_FIRST_DEPTH, _LEAST_DEPTH, _MOST_DEPTH = 4, 2, 512
"""Jobs that a worker holds before any is finished, at least, and at most."""
_DEPTH_SECONDS = 0.2
_REMEMBERED = 32
"""Number of jobs that the mean of their time goes back, about."""
_ATTEMPTS = 2


@dataclass(slots=True, eq=False)
class Held(Generic[J]):
    """A job, and the number of this attempt at it, from 1."""

    job: J
    attempt: int = 1


@dataclass(slots=True, eq=False)
class Worker(Generic[J]):
    """A worker with the jobs it holds, in the order in which it does them."""

    ready: bool = False
    """It has been initialised."""
    held: deque[Held[J]] = field(default_factory=deque)
    first_since: float = 0.0
    """Time from which the first job counts as being worked on."""

    def may_take(self, depth: int) -> bool:
        """Return whether it may take one more job if it is to hold no more than `depth`; never
        while it is at a second attempt.
        """
        return len(self.held) < depth and not (self.held and self.held[0].attempt > 1)


class HandedOut(NamedTuple, Generic[J]):
    """The jobs that workers get; if `more`, there will be others when half of these are done."""

    jobs: dict[Worker[J], list[J]]
    more: bool


class Schedule(Generic[J]):
    """All unfinished jobs and all workers, of which there are `limit` at most.

    Times are seconds of any clock that does not go back.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.workers: list[Worker[J]] = []
        self._waiting: deque[Held[J]] = deque()
        self._again: deque[Held[J]] = deque()
        self._depth = _FIRST_DEPTH
        self._finished, self._job_seconds = 0, 0.0

    @property
    def is_full(self) -> bool:
        """True if as many jobs wait as the workers can hold."""
        return len(self._waiting) >= self._limit * self._depth

    @property
    def is_empty(self) -> bool:
        """True if every job has a result."""
        return not (self._waiting or self._again or any(worker.held for worker in self.workers))

    def unfinished(self) -> Iterator[J]:
        """Yield all jobs without a result."""
        for held in self._again, self._waiting, *(worker.held for worker in self.workers):
            yield from (one.job for one in held)

    def under_way(self) -> set[Held[J]]:
        """Return the jobs that workers are working on."""
        return {worker.held[0] for worker in self.workers if worker.held}

    def held(self) -> set[Held[J]]:
        """Return the jobs that workers hold."""
        return {held for worker in self.workers for held in worker.held}

    def add_worker(self) -> Worker[J]:
        """Add a worker that was started, and return it."""
        worker = Worker[J]()
        self.workers.append(worker)
        return worker

    def add(self, job: J) -> None:
        """Add a job to the end of the queue."""
        self._waiting.append(Held(job))

    def missing(self) -> int:
        """Return the number of workers to start: one for each job that no idle worker can take."""
        idle = sum(not worker.held for worker in self.workers)
        jobs = len(self._again) + len(self._waiting) - idle
        return max(min(jobs, self._limit - len(self.workers)), 0)

    def hand_out(self, now: float) -> HandedOut[J]:
        """Give jobs to workers, evenly. Second attempts go first."""
        given: dict[Worker[J], list[J]] = {}

        def give(worker: Worker[J], held: Held[J]) -> None:
            if not worker.held:
                worker.first_since = now
            worker.held.append(held)
            given.setdefault(worker, []).append(held.job)

        depth, was_full = self._depth_now(), self.is_full
        takers = sorted(self.workers, key=lambda worker: len(worker.held))
        for worker in takers:
            if self._again and not worker.held:
                give(worker, self._again.popleft())
        while self._waiting and (takers := [one for one in takers if one.may_take(depth)]):
            for worker in takers[: len(self._waiting)]:
                give(worker, self._waiting.popleft())
        return HandedOut(given, was_full or bool(self._waiting))

    def _depth_now(self) -> int:
        """Return how many jobs a worker may hold: fewer if few are left."""
        if self.is_full or not self.workers:
            return self._depth
        left = len(self._waiting) + sum(len(worker.held) for worker in self.workers)
        share = math.ceil(left / len(self.workers) / 2)
        return min(self._depth, max(share, _LEAST_DEPTH))

    def finish(self, worker: Worker[J], seconds: Sequence[float], now: float) -> list[J]:
        """Remove the first jobs of a worker, which has finished them and took so long for each."""
        for one in seconds:
            self._finished = min(self._finished + 1, _REMEMBERED)
            self._job_seconds += (one - self._job_seconds) / self._finished
        if self._finished:
            depth = _DEPTH_SECONDS / max(self._job_seconds, _DEPTH_SECONDS / _MOST_DEPTH)
            self._depth = max(math.ceil(depth), _LEAST_DEPTH)
        worker.first_since = now
        return [worker.held.popleft().job for _ in seconds]

    def remove(self, worker: Worker[J]) -> Held[J] | None:
        """Remove a worker that died and return the job that is to blame, None if there is none: it
        was not ready, or held no job. The other jobs it held are the next to be handed out.
        """
        self.workers.remove(worker)
        blamed = worker.held.popleft() if worker.ready and worker.held else None
        for held in reversed(worker.held):
            (self._waiting if held.attempt == 1 else self._again).appendleft(held)
        return blamed

    def retry(self, blamed: Held[J]) -> bool:
        """Try a job again; False if it has had all its attempts."""
        if blamed.attempt == _ATTEMPTS:
            return False
        blamed.attempt += 1
        self._again.append(blamed)
        return True

    def overdue(self, now: float, seconds: float) -> list[Worker[J]]:
        """Return the workers that have been at their first job for longer than `seconds`."""
        return [
            worker
            for worker in self.workers
            if worker.held and worker.ready and now - worker.first_since > seconds
        ]
