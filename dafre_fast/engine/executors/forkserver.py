"""The server process that workers are forked from, prepared by the executor that starts it.

It imports what workers need once, before they are forked, and dies with the process that started
it, however that one ends; its workers die with it (Linux).

multiprocessing's fork server can import modules, but not call a function. So this module is what it
imports, and prepares the server when imported, but only in a server: a process whose environment
names its parent in `_REQUEST`. Any other process that imports it is left as it is.
"""

import ctypes
import multiprocessing.forkserver
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing import get_context, resource_tracker
from multiprocessing.context import ForkServerContext
from pathlib import Path

from dafre_fast.core import compiling
from dafre_fast.core.stopping import left_to_parent

_REQUEST = "DAFRE_FAST_FORK_SERVER"
"""Variable of the environment: process ID of the parent, and what to preload."""
_COMPILES = "DAFRE_FAST_COMPILES"
"""Variable of the environment: the file to write to when kernels are compiled."""
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
def starting(preload: Sequence[str], compiles: str) -> Iterator[None]:
    """Have a server that is started meanwhile prepared, with Ctrl-C left to its parent; its workers
    leave it, too. If it has to compile kernels, it writes to the file `compiles`.
    """
    resource_tracker.ensure_running()  # its own start would unblock the signal
    os.environ[_REQUEST] = " ".join((str(os.getpid()), *preload))
    os.environ[_COMPILES] = compiles
    try:
        with left_to_parent():
            yield
    finally:
        os.environ.pop(_REQUEST, None)
        os.environ.pop(_COMPILES, None)


def kill() -> None:
    """Kill the server, also while it is being prepared; the next start brings another."""
    server = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001
    if server is not None:
        with suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)


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
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's; workers do no linear algebra
    with compiling.reported_to(_write_that_it_compiles):
        for name in preload:
            module, _, function = name.partition(":")
            with suppress(ImportError):  # a worker that needs it will say so
                found = import_module(module)
                if function:
                    getattr(found, function)()
    cpu_seconds = time.process_time()


def _write_that_it_compiles() -> None:
    with suppress(OSError):
        Path(os.environ.get(_COMPILES, os.devnull)).write_text("compiles")


_parent, *_preload = os.environ.get(_REQUEST, "nobody").split()
if _parent == str(os.getppid()):
    del os.environ[_REQUEST]
    _prepare(_preload)
