"""The live line of a run: done of total, rate, bytes, time left, refusals; and what is to be said
meanwhile. On standard error.
"""

import sys
import time
from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bar,
)
from rich.table import Column
from rich.text import Text

from dafre_fast.core.events import Down, Event, Held, Outcome, Up

_REFRESHES_PER_SECOND = 4
_NAMED_REASONS = 3
_DAY_SECONDS = 86_400.0
_HELD_AGAIN_SECONDS = 60.0
"""How long nothing more is said of a host that asks to wait again and again."""


def notice_slower_jpeg() -> None:
    """Say once what a machine without libjpeg-turbo loses, and how to get it back."""
    print(
        "libturbojpeg is not installed: JPEG goes through libvips, which costs more CPU time per"
        " image; `make setup`, or your system's package libturbojpeg0 or libturbojpeg, brings it",
        file=sys.stderr,
    )


def notice_other_settings(images: int) -> None:
    """Say that finished work is done again, and why."""
    what = "1 image was" if images == 1 else f"{images:,} images were"
    anew = "is" if images == 1 else "are"
    print(f"{what} made with other settings and {anew} made anew", file=sys.stderr)


class _Rate(ProgressColumn):
    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.1f}/s")


class _Bytes(ProgressColumn):
    """Of a second task, which counts them; nothing where there are none."""

    def __init__(self, task: Task) -> None:
        super().__init__(Column(no_wrap=True))
        self._task = task

    def render(self, _: Task) -> Text:
        if not self._task.completed:
            return Text("")
        speed = (self._task.speed or 0) / 1e6
        return Text(f"{self._task.completed / 1e6:,.1f} MB, {speed:,.1f} MB/s")


class Progress:
    """A progress bar as a context; `bad` is what to call those that come with a reason. On anything
    but a terminal it says what it is told to, and nothing of its own until the end.
    """

    def __init__(self, label: str, bad: str = "refused") -> None:
        self._console = Console(stderr=True)
        self._bar = Bar(console=self._console, refresh_per_second=_REFRESHES_PER_SECOND)
        self._task = self._bar.add_task(label, total=None, bad="")
        self._volume = self._bar.add_task("bytes", total=None, visible=False)
        self._bar.columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            _Bytes(self._bar.tasks[self._volume]),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[bad]}"),
        )
        self._name_of_bad = bad
        self._bad = Counter[StrEnum]()
        self._done, self._bytes, self._drawn_at = 0, 0, 0.0
        self._silent_until = dict[str, float]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar.live.is_started:  # or else it prints an empty line
            self._draw()
            self._bar.stop()

    def begin(self, total: int, standing: int) -> None:
        """`standing` of `total` images were done by earlier runs."""
        self._done = standing
        self._bar.update(self._task, total=total)
        self._draw()
        self._bar.start()

    def advance(self, *reasons: StrEnum | None) -> None:
        """More outcomes, each good (None) or bad for a reason."""
        self._done += len(reasons)
        self._bad.update(filter(None, reasons))
        if time.monotonic() - self._drawn_at > 1 / _REFRESHES_PER_SECOND:  # to draw costs more
            self._draw()

    def tell(self, event: Event) -> None:
        """What happens to originals under way: their bytes, and what hosts do in a line each."""
        match event:
            case Outcome(fetched):
                self._bytes += (fetched.bytes or 0) if fetched.attempts else 0
            case Down():
                rest = f"{event.seconds:g} s after {event.failures} failures"
                self.say(f"{event.host}: left alone for {rest}")
            case Up():
                self.say(f"{event.host}: answers again")
            case Held():
                self._say_held(event)
            case _:
                pass

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def _say_held(self, event: Held) -> None:
        now = time.monotonic()
        if now + event.seconds > self._silent_until.get(event.host, 0.0):
            self._silent_until[event.host] = now + max(event.seconds, _HELD_AGAIN_SECONDS) + 1
            self.say(f"{event.host}: asks to wait {_span(event.seconds)}")

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        self._bar.update(self._task, completed=self._done, bad=self._show_bad())
        self._bar.update(self._volume, completed=self._bytes)

    def _show_bad(self) -> str:
        named = [f"{count:,} {bad}" for bad, count in self._bad.most_common(_NAMED_REASONS)]
        colon = ": " if named else ""
        return f"{self._bad.total():,} {self._name_of_bad}{colon}{', '.join(named)}"


def _span(seconds: float) -> str:
    """And until when by the clock on the wall."""
    if seconds > _DAY_SECONDS:
        return "for more than a day"
    until = datetime.now() + timedelta(seconds=seconds)  # noqa: DTZ005
    return f"{seconds:,.0f} s, until {until:%H:%M:%S}"
