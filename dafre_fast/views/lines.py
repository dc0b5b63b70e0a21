"""The lines that show how far a stage or a step has come. Callers give times (seconds of a
monotonic clock) and widths (columns).
"""

from collections import Counter, deque
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from dafre_fast.core.events import Began
from dafre_fast.views.figures import printable

_NAMED_REASONS = 3
_RECENT_SECONDS = 60.0
_LEAST_BAR, _LONGEST_BAR = 8, 30


class _Sample(NamedTuple):
    """The work that a run had done at one time."""

    at: float
    items: int = 0
    good: int = 0
    bytes: int = 0


class StageLine:
    """Counts of a stage. Its rates are those of the last minute, of what this run itself brought
    about: items of earlier runs do not count, and bad ones only for the time that is left.
    """

    def __init__(self, began: Began, now: float) -> None:
        self._label, self._total, self._name_of_bad = began.label, began.total, began.bad
        self._standing, self._bad = began.standing, Counter[StrEnum]()
        self._now = _Sample(now)
        self._samples = deque([self._now])
        self._began = now
        self._lock = Lock()  # counts come from one thread, and are shown by another

    def advance(self, reasons: tuple[StrEnum | None, ...], *, earlier: bool = False) -> None:
        """Count items that are done, by this run or an `earlier` one; None is the reason of a good
        one.
        """
        with self._lock:
            bad = [reason for reason in reasons if reason is not None]
            self._bad.update(bad)
            if earlier:
                self._standing += len(reasons)
                return
            _, items, good, _ = self._now
            counted = items + len(reasons), good + len(reasons) - len(bad)
            self._now = self._now._replace(items=counted[0], good=counted[1])

    def add_bytes(self, number: int) -> None:
        """Count bytes that were fetched."""
        with self._lock:
            self._now = self._now._replace(bytes=self._now.bytes + number)

    def line(self, now: float, columns: int | None = None) -> str:
        """Return the line for this moment, in so many columns; None for as many as it takes."""
        with self._lock:
            since = self._sample(now)
            parts = self._parts(now, since)
        return _fitted(self._label, self._share(), parts, columns)

    def last_line(self, now: float, columns: int | None = None) -> str:
        """Return the line for the end: its rates are those of the whole stage."""
        with self._lock:
            parts = self._parts(now, _Sample(self._began))
        del parts["left"]
        return _fitted(self._label, None, parts, columns)

    def _sample(self, now: float) -> _Sample:
        """Note how far it has come; return the same for a minute ago."""
        self._samples.append(self._now._replace(at=now))
        while len(self._samples) > 2 and self._samples[1].at <= now - _RECENT_SECONDS:
            self._samples.popleft()
        return self._samples[0]

    def _parts(self, now: float, since: _Sample) -> dict[str, str]:
        """Return what the line tells, in the order in which it is shown."""
        done, seconds = self._now, max(now - since.at, 0.001)
        left = self._total - self._standing - done.items
        pace = (done.items - since.items) / seconds
        bad = f"{self._bad.total():,} {self._name_of_bad}"
        parts = {
            "count": f"{self._standing + done.items:,}/{self._total:,}",
            "rate": f"{(done.good - since.good) / seconds:,.1f}/s",
            "elapsed": f"{span(now - self._began)} elapsed",
            "left": f"{span(max(left, 0) / pace) if pace else '?' if left else span(0)} left",
            "bad": bad,
        }
        if done.bytes:
            parts["bytes"] = f"{done.bytes / 1e6:,.1f} MB"
            parts["bytes rate"] = f"{(done.bytes - since.bytes) / 1e6 / seconds:,.1f} MB/s"
        if named := [f"{n:,} {reason}" for reason, n in self._bad.most_common(_NAMED_REASONS)]:
            parts["bad"], parts["reasons"] = bad, ", ".join(named)
        return parts

    def _share(self) -> float:
        done = self._standing + self._now.items
        return min(done / self._total, 1.0) if self._total else 1.0


class DoingLine:
    """A step, in which nothing is counted, and how long it has taken."""

    def __init__(self, text: str, now: float) -> None:
        self._text, self._began = printable(text), now

    def line(self, now: float, columns: int | None = None) -> str:
        """Return the line for this moment, in so many columns."""
        seconds = now - self._began
        tail = f" … {span(seconds)} elapsed" if seconds >= 2 else " …"
        room = len(self._text) if columns is None else max(columns - len(tail), 0)
        return self._text[:room] + tail


def span(seconds: float) -> str:
    """Return a time as hours, minutes and seconds: `0:01:05`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


_SHOWN = ("count", "rate", "bytes", "bytes rate", "elapsed", "left", "bad")
"""Parts in the order of the line; the reasons follow the bad."""
_LEAST_USEFUL = ("reasons", "bytes", "bytes rate", "rate", "bad", "elapsed")
"""Parts that may be left out where the line is short, in this order, after the bar."""


def _fitted(label: str, share: float | None, parts: dict[str, str], columns: int | None) -> str:
    """Put a line together, without its least useful parts if it would be too long."""
    shown = dict(parts)
    line = _joined(label, shown)
    for name in _LEAST_USEFUL:
        if columns is None or len(line) <= columns:
            break
        shown.pop(name, None)
        line = _joined(label, shown)
    room = 0 if columns is None else columns - len(line) - 1
    if share is None or room < _LEAST_BAR:
        return line
    return f"{label} {_bar(share, min(room, _LONGEST_BAR))}{line.removeprefix(label)}"


def _joined(label: str, parts: dict[str, str]) -> str:
    line = f"{label} " + ", ".join(parts[name] for name in _SHOWN if name in parts)
    return f"{line}: {parts['reasons']}" if "reasons" in parts else line


def _bar(share: float, columns: int) -> str:
    done = int(share * columns)
    return "━" * done + "╌" * (columns - done)
