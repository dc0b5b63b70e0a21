"""The interface of executors: what they are given, what they do, what they report.

An executor runs one function in worker processes, on this machine or on others. It is an
asynchronous context: `submit` jobs, `drain`, leave. The contract is stated in
`tests/engine/test_executors.py`, which every executor has to pass; `choose` creates one by its
name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

J = TypeVar("J")
R = TypeVar("R")


class Loss(Enum):
    """The way in which a worker ended at a job."""

    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "ran out of memory"


class Lost(NamedTuple):
    """The reason why a job has no result: how its last worker ended, and the signal or limit."""

    loss: Loss
    cause: str


@dataclass(frozen=True, kw_only=True)  # without slots: a generic of these cannot be subscripted
class Spec(Generic[J, R]):
    """The work of an executor: what its workers do, where results go, and their limits.

    Jobs, results and `initialise` must be picklable. The callbacks run in the caller's process, in
    its event loop. An exception raised by them, by the function that does jobs, or by `initialise`
    ends the executor: `submit` or `drain` raises it. A MemoryError at a job is a `Lost` instead.
    """

    initialise: Callable[[], Callable[[J], R]]
    """Called once in each worker before its first job; returns the function that does the jobs, so
    that what is slow to load (the weights of a network) is loaded once per worker. It has no time
    limit. Where it raises, the run ends with a WorkerError. `ready(f)` is one that returns `f`."""
    on_results: Callable[[list[tuple[J, R | Lost]]], None]
    """Called with pairs of a job and its result, several at a time and in any order; each job
    submitted appears once."""
    workers: int
    """Most workers at once."""
    job_timeout_seconds: float
    """A worker that is at one job for longer is killed, and the job is `Lost`."""
    memory_bytes: int | None = None
    """Memory that a worker may take in addition to what it has when it is initialised (Linux)."""
    on_death: Callable[[J, Lost], R | Lost] = lambda _, lost: lost
    """Called when a worker died at a job, before the job is tried once more. Returns the result if
    it is known nevertheless, or `lost`."""
    preload: Sequence[str] = ()
    """Modules to import (`package.module`) and functions to call (`package.module:function`) once
    per machine, if the executor can share their effect among its workers."""


class Executor(Protocol[J]):
    """A context in which jobs are done by workers.

    A job whose worker dies is tried once more, by a worker that has no other job. Leaving the
    context ends all workers; after an exception, they get a moment to finish their jobs.
    """

    abandoned: list[J]
    """Jobs without a result when the context was left; their outputs may be partial."""

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all workers up to their last results, and of starting them."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, kind: type[BaseException] | None, *error: object) -> None: ...

    async def submit(self, job: J) -> None:
        """Add a job; waits while the workers have enough to do. Raises what ended the executor,
        for example WorkerError if no worker can be started.
        """

    async def drain(self) -> None:
        """Wait until `on_results` was called with every job submitted. Raises as `submit` does."""


def ready(work: Callable[[J], R]) -> Callable[[], Callable[[J], R]]:
    """Return an `initialise` for a function that needs nothing to be loaded first."""
    return partial(_just, work)


def _just(work: Callable[[J], R]) -> Callable[[J], R]:
    return work
