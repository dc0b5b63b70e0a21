"""The life of a worker of the local executor, in its own process.

It is initialised, then does its jobs in order and sends each result as soon as it is there. Its
first message is a pickled `Begun`, each further one a pickled pair: a result or a `Raised`, and the
CPU time of the worker so far in seconds.
"""

import os
import pickle
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from dafre_fast.core.errors import WorkerError
from dafre_fast.engine.executors import forkserver
from dafre_fast.engine.executors.base import J, R
from dafre_fast.engine.executors.messages import framed

OUT_OF_MEMORY = 87
"""Exit status of a worker that ran out of memory."""


class Begun(NamedTuple):
    """What a worker has to say before its first job."""

    failure: str | None
    """Why it could not be initialised; None if it was."""
    server_cpu_seconds: float
    """CPU time of starting the server that it was forked from."""


class Raised(NamedTuple):
    """An exception in place of a result."""

    error: BaseException


def serve(
    parent: socket.socket, initialise: Callable[[], Callable[[J], R]], memory_bytes: int | None
) -> None:
    """Do jobs until the parent closes the socket, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the parent decides
    forkserver.die_with_server()
    try:
        work = _begin(parent, initialise)
        if memory_bytes is not None:
            bound_memory(memory_bytes)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries talk there of every bad file
        _do_jobs(parent, work)
    except (EOFError, OSError, pickle.UnpicklingError):
        pass
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # and with it all that it holds


def _begin(parent: socket.socket, initialise: Callable[[], Callable[[J], R]]) -> Callable[[J], R]:
    """Return the function that does the jobs, and let the parent know that it is there or why not.

    Raises EOFError if it is not.
    """
    try:
        work = initialise()
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"
        parent.sendall(framed(pickle.dumps(Begun(failure, forkserver.cpu_seconds))))
        raise EOFError from error
    parent.sendall(framed(pickle.dumps(Begun(None, forkserver.cpu_seconds))))
    return work


def _do_jobs(parent: socket.socket, work: Callable[[J], R]) -> None:
    batches = parent.makefile("rb")
    while True:
        for job in pickle.load(batches):  # noqa: S301  (from our own parent)
            parent.sendall(framed(_answer(work, job)))


def _answer(work: Callable[[J], R], job: J) -> bytes:
    """Do a job; return the message with its result. Raises MemoryError."""
    try:
        return pickle.dumps((work(job), time.process_time()))
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  (raised again in the parent)
        return pickle.dumps((Raised(_that_travels(error)), time.process_time()))


def _that_travels(error: BaseException) -> BaseException:
    """Return an exception, or a WorkerError with its text if it cannot be pickled and read back."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
    except Exception:  # noqa: BLE001  (whatever its class does)
        return WorkerError(f"a worker raised {type(error).__name__}: {error}")
    return error


def bound_memory(more: int) -> None:
    """Let this process take so many bytes in addition to those it has. Memory that is reserved and
    not used, as numba and malloc reserve it by the gigabyte, does not count.
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
