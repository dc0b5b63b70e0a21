"""A function in a process of its own, under limits: what it gave, and what it cost.

Forked from a process that has imported everything and used nothing: threads of libvips, which it
starts with its first picture, do not survive a fork.
"""

import os
import pickle
import signal
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from dafre_fast.engine.executors.worker import bound_memory

SECONDS, BYTES = 20, 1_000_000_000


@dataclass(frozen=True)
class Ran:
    """`result` is what was returned, `error` what was raised or what killed the process; `seconds`
    of wall clock, `bytes` of memory at its peak.
    """

    result: Any
    error: BaseException | str | None
    seconds: float
    bytes: int


def servers(number: int) -> ProcessPoolExecutor:
    """Processes in which `isolated` may be called."""
    return ProcessPoolExecutor(number, mp_context=get_context("spawn"))


def isolated(function: Callable[..., Any], *arguments: object) -> Ran:
    """Fork, run, wait. What this process has imported is there already."""
    began = time.monotonic()
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _run(theirs, function, arguments)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        result, error = None, signal.Signals(os.WTERMSIG(status)).name
    else:
        result, error = pickle.loads(answer)
    return Ran(result, error, time.monotonic() - began, usage.ru_maxrss * 1024)


def _run(pipe: int, function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # messages of C libraries about a file
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        bound_memory(BYTES)
        try:
            answer = function(*arguments), None
        except Exception as error:  # noqa: BLE001
            answer = None, error
        with os.fdopen(pipe, "wb") as file:
            pickle.dump(answer, file)
    finally:
        os._exit(0)
