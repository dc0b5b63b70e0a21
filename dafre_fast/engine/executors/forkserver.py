"""The server process that workers are forked from, prepared by the executor that starts it.

It imports what workers need once, before they are forked, and dies with the process that started
it, however that one ends; its workers die with it (Linux).

multiprocessing's fork server can import modules, but not call a function. So this module is what it
imports, and prepares the server when imported, but only in a server: a process whose environment
names its parent in `_REQUEST`. Any other process that imports it is left as it is.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_context, resource_tracker
from multiprocessing.context import ForkServerContext

_REQUEST = "DAFRE_FAST_FORK_SERVER"
"""Variable of the environment: process ID of the parent, and what to preload."""
_PR_SET_PDEATHSIG = 1

cpu_seconds = 0.0
"""CPU time that preparing this server took; its workers, forked from it, know it too."""
_server: int | None = None
"""Process ID of the server in itself and in its workers."""


def context() -> ForkServerContext:
    """Return the multiprocessing context in which a started server is prepared by this module."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@contextmanager
def starting(preload: Sequence[str]) -> Iterator[None]:
    """Have a server that is started meanwhile prepared, with Ctrl-C left to its parent.

    Ctrl-C reaches the whole process group. A server that is started with the signal blocked keeps
    it blocked, and so do its workers.
    """
    resource_tracker.ensure_running()  # its own start would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ[_REQUEST] = " ".join((str(os.getpid()), *preload))
    try:
        yield
    finally:
        os.environ.pop(_REQUEST, None)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_server() -> None:
    """Have this worker killed when its server ends. On systems other than Linux, a worker ends when
    it has a result to send.
    """
    _die_with_parent()
    if _server is not None and os.getppid() != _server:  # it ended before we asked
        os._exit(1)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prepare(preload: Sequence[str]) -> None:
    """Make this process a server whose workers have all they need when they are forked."""
    global _server, cpu_seconds  # noqa: PLW0603  (a server is prepared once)
    _server = os.getpid()
    _die_with_parent()
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # there is a worker per core
    for name in preload:
        module, _, function = name.partition(":")
        with suppress(ImportError):  # a worker that needs it will say so
            found = import_module(module)
            if function:
                getattr(found, function)()
    cpu_seconds = time.process_time()


_parent, *_preload = os.environ.get(_REQUEST, "nobody").split()
if _parent == str(os.getppid()):
    del os.environ[_REQUEST]
    _prepare(_preload)
