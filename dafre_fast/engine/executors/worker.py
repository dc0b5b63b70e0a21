"""The life of a worker of the local executor, in its own process.

It is initialised, then does its jobs in order and sends each result as soon as it is there. Its
first message is a pickled `Begun`, each further one a pickled tuple: a result or a `Raised`, the
CPU time of the worker so far, and the time that it was at this job, in seconds. What it gets are
`Batch`es, as tuples.

It rings, which is a byte on a socket that all workers share, if the parent is not to wait for its
next round: when half of a batch is left and no other one is here, or an answer finds no room.
"""

import os
import pickle
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from dafre_fast.core.errors import WorkerError
from dafre_fast.engine.executors import forkserver
from dafre_fast.engine.executors.base import J, R
from dafre_fast.engine.executors.messages import MOST_BYTES, Inbox, framed

OUT_OF_MEMORY = 87
"""Exit status of a worker that ran out of memory."""


class Begun(NamedTuple):
    """The first message of a worker, before any result."""

    failure: str | None
    """The error of its initialisation; None if it succeeded."""
    server_cpu_seconds: float
    """CPU time of starting the server that it was forked from."""


class Raised(NamedTuple):
    """An exception in place of a result."""

    error: BaseException


class Batch(NamedTuple):
    """Jobs to do; if `ring`, more of them can be had when half of these are left."""

    jobs: list[Any]
    ring: bool


def serve(
    parent: socket.socket,
    bell: socket.socket,
    initialise: Callable[[], Callable[[J], R]],
    memory_bytes: int | None,
) -> None:
    """Do jobs until the parent closes the socket, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; the parent decides
    forkserver.die_with_server()
    try:
        work = _begin(parent, initialise)
        if memory_bytes is not None:
            bound_memory(memory_bytes)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries talk there of every bad file
        for job in _jobs(parent, bell):
            _send(framed(_answer(work, job)), parent, bell)
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


def _jobs(parent: socket.socket, bell: socket.socket) -> Iterator[Any]:
    """Yield jobs as they arrive. Raises EOFError when the parent has closed the socket."""
    inbox, batches = Inbox(), deque[bytes]()

    def receive(flags: int = 0) -> None:
        data = parent.recv(MOST_BYTES, flags)
        if not data:
            raise EOFError
        batches.extend(inbox.feed(data))

    while True:
        while not batches:
            receive()
        jobs, ring = pickle.loads(batches.popleft())  # noqa: S301  (from our own parent)
        for number, job in enumerate(jobs):
            if ring and number == len(jobs) // 2 and not batches:
                with suppress(BlockingIOError):
                    receive(socket.MSG_DONTWAIT)
                if not batches:
                    _ring(bell)
            yield job


def _send(message: bytes, parent: socket.socket, bell: socket.socket) -> None:
    try:
        sent = parent.send(message, socket.MSG_DONTWAIT)
    except BlockingIOError:
        sent = 0
    if sent < len(message):
        _ring(bell)
        parent.sendall(message[sent:])


def _ring(bell: socket.socket) -> None:
    with suppress(OSError):  # it is full, so that the parent will look at it
        bell.send(b".", socket.MSG_DONTWAIT)


def _answer(work: Callable[[J], R], job: J) -> bytes:
    """Do a job; return the message with its result. Raises MemoryError."""
    began = time.monotonic()
    result: R | Raised
    try:
        result = work(job)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  (raised again in the parent)
        result = Raised(_that_travels(error))
    used = time.process_time(), time.monotonic() - began
    try:
        return pickle.dumps((result, *used))
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  (raised again in the parent)
        return pickle.dumps((Raised(_that_travels(error)), *used))


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
