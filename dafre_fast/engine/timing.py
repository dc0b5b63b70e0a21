"""Where the time of a run goes: counted from what sources tell, measured at the event loop."""

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
    """Seconds of a loop; of these, the ones in which it had nothing to do but wait for sockets and
    clocks, and those in which it wrote files; and CPU seconds of the whole process.
    """

    all: float
    idle: float
    disk: float
    cpu: float


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
    """Counts events. Its seconds are added up over all originals that were under way at once."""

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
        """An original lay there, and no worker had a hand free."""
        self._workers += seconds

    def downloads(self, loop: LoopTime) -> Downloads | None:
        """What was fetched, and what that waited for; None where nothing was asked for."""
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
        """The loop wrote files, or waited for what the originals waited for that were under way
        then, or else worked, or waited for a core. Workers that are waited for want cores, too.
        """
        part = loop.idle / loop.all / ((self._transfers + self._turns + self._workers) or 1.0)
        disk = loop.disk / loop.all
        return {
            Bottleneck.NETWORK: part * self._transfers,
            Bottleneck.DISK: disk,
            Bottleneck.CPU: 1 - loop.idle / loop.all - disk + part * self._workers,
            Bottleneck.RATE_LIMITS: part * self._turns,
        }
