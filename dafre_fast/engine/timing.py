"""Measure how a run with downloads spends its time.

The figures come from the events of its sources and from the idle time of its event loop.
"""

import asyncio
import time
from collections.abc import Coroutine
from selectors import DefaultSelector, SelectorKey
from typing import Any, NamedTuple, TypeVar

from dafre_fast.core.events import Again, Event, Outcome, Waited
from dafre_fast.core.summaries import Bottleneck, Downloads
from dafre_fast.engine.loops import run
from dafre_fast.sources.disk_clock import seconds_on_disk

T = TypeVar("T")


class LoopTime(NamedTuple):
    """Seconds that an event loop spent, by activity."""

    all: float
    """Seconds from its start to its end."""
    idle: float
    """Time of these in which it only waited for sockets and timers."""
    disk: float
    """Time of these in which it wrote files."""
    cpu: float
    """CPU time of the whole process meanwhile."""


def run_measured(main: Coroutine[Any, Any, T]) -> tuple[T, LoopTime]:
    """Return the result of `main` (`loops.run`), and how its loop spent its time."""
    selector = _Selector()
    began, disk, cpu = time.monotonic(), seconds_on_disk(), time.process_time()
    result = run(main, lambda: asyncio.SelectorEventLoop(selector))
    seconds = time.monotonic() - began
    spent = selector.idle_seconds, seconds_on_disk() - disk, time.process_time() - cpu
    return result, LoopTime(seconds, *spent)


class _Selector(DefaultSelector):
    idle_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        began = time.monotonic()
        ready = super().select(timeout)
        self.idle_seconds += time.monotonic() - began
        return ready


class Tally:
    """Counts events. Its seconds are sums over originals, many of which are under way at once."""

    def __init__(self) -> None:
        self._originals = self._bytes = self._requests = self._retries = 0
        self._transfers = self._turns = self._workers = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case Outcome(fetched) if fetched.attempts:
                self._originals += fetched.reason is None
                self._bytes += fetched.bytes or 0
                self._requests += fetched.attempts
                self._transfers += fetched.seconds or 0.0
            case Again():
                self._retries += 1
            case Waited():
                self._turns += event.seconds
            case _:
                pass

    def waited_for_workers(self, seconds: float) -> None:
        """Add the time that an original waited, downloaded, until a worker could take it."""
        self._workers += seconds

    def downloads(self, loop: LoopTime) -> Downloads | None:
        """Return what was downloaded and what limited it, None if there was no request."""
        if not self._requests:
            return None
        shares = self._shares(loop)
        return Downloads(
            originals=self._originals,
            bytes=self._bytes,
            requests=self._requests,
            retries=self._retries,
            bottleneck=max(shares, key=shares.__getitem__),
            shares={cause: round(share, 3) for cause, share in shares.items()},
        )

    def _shares(self, loop: LoopTime) -> dict[Bottleneck, float]:
        """Return the share of the run, from 0 to 1, that each cause accounts for.

        While the loop was idle, it waited for whatever the originals under way waited for: that
        time is divided in the ratio of their sums. The rest of it went into writing files, or into
        work or waiting for a core. Waiting for workers is waiting for cores as well.
        """
        part = loop.idle / loop.all / ((self._transfers + self._turns + self._workers) or 1.0)
        disk = loop.disk / loop.all
        return {
            Bottleneck.NETWORK: part * self._transfers,
            Bottleneck.DISK: disk,
            Bottleneck.CPU: 1 - loop.idle / loop.all - disk + part * self._workers,
            Bottleneck.RATE_LIMITS: part * self._turns,
        }
