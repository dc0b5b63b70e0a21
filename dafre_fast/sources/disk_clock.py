"""How long files kept this process waiting: a clock like `time.process_time`."""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_seconds = [0.0]


def seconds_on_disk() -> float:
    """Spent so far in all functions that are marked `on_disk`, whatever became of them."""
    return _seconds[0]


def on_disk(function: Callable[P, R]) -> Callable[P, R]:
    """A function that writes or syncs files; not one that waits for anything else."""

    @wraps(function)
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _seconds[0] += time.perf_counter() - began

    return timed
