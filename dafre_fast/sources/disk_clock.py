"""Disk clock: the time this process spent on files, a clock like `time.process_time`."""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_seconds = [0.0]


def seconds_on_disk() -> float:
    """Return the seconds spent so far in functions marked `on_disk`, also in those that raised."""
    return _seconds[0]


def on_disk(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that writes or syncs files, and waits for nothing else."""

    @wraps(function)
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _seconds[0] += time.perf_counter() - began

    return timed
