"""Where the time of a run goes: counted from what sources tell, measured at the event loop."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from selectors import DefaultSelector, SelectorKey
from typing import Any, NamedTuple, TypeVar

from dafre_fast.model.events import Again, Event, Outcome, Waited
from dafre_fast.model.summary import Bottleneck, Downloads

T = TypeVar("T")


class LoopTime(NamedTuple):
    """Seconds of a loop, and of these the ones in which it worked or waited for a core, and in
    which it had nothing to do but wait for sockets and clocks. What is left it waited for the disk.
    `cpu` is that of the whole process.
    """

    all: float
    busy: float
    idle: float
    cpu: float

    @property
    def shares(self) -> tuple[float, float, float]:
        """Busy, blocked and idle; 1 in all."""
        whole = max(self.all, self.busy + self.idle, 1e-9)
        busy, idle = self.busy / whole, self.idle / whole
        return busy, 1 - busy - idle, idle


def run_measured(main: Coroutine[Any, Any, T]) -> tuple[T, LoopTime]:
    """`asyncio.run`, and how its loop spent its time."""
    selector = _Selector()
    began, busy, cpu = time.monotonic(), _busy_seconds(), time.process_time()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        result = runner.run(main)
    seconds = time.monotonic() - began
    spent = _busy_seconds() - busy, selector.idle_seconds, time.process_time() - cpu
    return result, LoopTime(seconds, *spent)


class _Selector(DefaultSelector):
    idle_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        began = time.monotonic()
        ready = super().select(timeout)
        self.idle_seconds += time.monotonic() - began
        return ready


def _busy_seconds() -> float:
    """CPU time of this thread, and the time in which it was ready but others had the cores
    (Linux: the second number of schedstat, in nanoseconds).
    """
    delay = 0
    with suppress(OSError, IndexError, ValueError), open("/proc/thread-self/schedstat") as file:  # noqa: PTH123
        delay = int(file.read().split()[1])
    return time.thread_time() + delay / 1e9


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

    def downloads(self, loop: LoopTime, workers_busy: float = 0.0) -> Downloads | None:
        """What was fetched, and what that waited for; None where nothing was asked for.
        `workers_busy` is the share of their cores that workers used.
        """
        if not self._requests:
            return None
        shares = self._shares(loop, workers_busy)
        return Downloads(
            originals=self._originals,
            bytes=self._bytes,
            requests=self._requests,
            retries=self._retries,
            bottleneck=max(shares, key=shares.__getitem__),
            shares={cause: round(share, 3) for cause, share in shares.items()},
        )

    def _shares(self, loop: LoopTime, workers_busy: float) -> dict[Bottleneck, float]:
        """The loop's own work and its waits for the disk; the rest as the originals spent it that
        were under way then. Workers that are waited for want a core, or else the disk.
        """
        busy, blocked, idle = loop.shares
        part = idle / ((self._transfers + self._turns + self._workers) or 1.0)
        workers = part * self._workers
        return {
            Bottleneck.NETWORK: part * self._transfers,
            Bottleneck.DISK: blocked + workers * (1 - workers_busy),
            Bottleneck.CPU: busy + workers * workers_busy,
            Bottleneck.MANNERS: part * self._turns,
        }
