"""An original under way, and what is told of it from deep down: by the task in which that happens,
so that nothing in between hands it through. Outside of such a task nobody listens.
"""

from contextvars import ContextVar
from typing import Protocol


class PutOff(BaseException):
    """Not now: others go first. Ends a flight that has asked nobody yet; no source looks at it."""


class Watcher(Protocol):
    """Who keeps an eye on flights."""

    def comes(self, flight: "Flight", host: str, *, free: bool) -> None: ...
    def asks(self, flight: "Flight", host: str) -> None: ...
    def failed(self, flight: "Flight") -> None: ...


class Flight:
    """Of one original after the other; times are seconds of a monotonic clock."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.begin(0.0)
        self.under_way = False

    def begin(self, now: float) -> None:
        """The next original."""
        self.under_way = True
        self.host: str | None = None
        self.asked = now
        self.asking = self.waiting = self.slow = False
        self.bytes = 0
        self.look_again(now)

    def look_again(self, now: float) -> None:
        """What comes is counted from now on."""
        self.looked, self.fresh_bytes = now, 0

    @property
    def aside(self) -> bool:
        """It needs no slot: others may go meanwhile."""
        return self.waiting or self.slow


_current: ContextVar[Flight | None] = ContextVar("_current", default=None)


def board(flight: Flight) -> None:
    """What this task does from now on is of this flight."""
    _current.set(flight)


def comes(host: str, *, free: bool) -> None:
    """To a host, where it waits for its turn unless that is free. Raises PutOff."""
    if flight := _current.get():
        flight.watcher.comes(flight, host, free=free)


def asks(host: str) -> None:
    """A host, now."""
    if flight := _current.get():
        flight.watcher.asks(flight, host)


def asked() -> None:
    """The host is done with it, or it with the host."""
    if flight := _current.get():
        flight.asking = False


def failed() -> None:
    """The host that is asked, as such."""
    if flight := _current.get():
        flight.watcher.failed(flight)


def received(size: int) -> None:
    """So many bytes."""
    if flight := _current.get():
        flight.bytes += size
        flight.fresh_bytes += size
