"""The live line of a stage (done of total, rate, bytes, time left, refusals) and lines that stay:
notices, and what hosts do. On standard error.
"""

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

from dafre_fast.core.events import (
    Advanced,
    Began,
    Down,
    Ended,
    Event,
    Held,
    Notice,
    Outcome,
    Up,
)

_REFRESHES_PER_SECOND = 4
_NAMED_REASONS = 3
_DAY_SECONDS = 86_400.0
_HELD_AGAIN_SECONDS = 60.0
"""Seconds after a host's request to wait in which its further ones are not shown."""
_NOTEBOOK_COLUMNS = 100


class Progress:
    """An observer, and a context that ends what it shows, also after an exception.

    Outside a terminal it prints the lines that stay, and the live line once, at the end of a stage.
    """

    def __init__(self) -> None:
        self._console = _console()
        self._stage: _Stage | None = None
        self._silent_until = dict[str, float]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def __call__(self, event: Event) -> None:
        match event:
            case Advanced(reasons) if self._stage:
                self._stage.advance(reasons)
            case Outcome(fetched) if self._stage and fetched.attempts:
                self._stage.add_bytes(fetched.bytes or 0)
            case Began():
                self._end()
                self._stage = _Stage(self._console, event)
            case Ended():
                self._end()
            case Notice(text):
                self._print(text)
            case Down(error=error) if error:
                self._print(f"{event.host}: never answered ({error})")
            case Down():
                pause = f"{event.seconds:g} s after {event.failures} failures in a row"
                self._print(f"{event.host}: paused for {pause}")
            case Up():
                self._print(f"{event.host}: answers again")
            case Held():
                self._print_held(event)
            case _:
                pass

    def _end(self) -> None:
        if self._stage:
            self._stage.end()
            self._stage = None

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def _print_held(self, event: Held) -> None:
        now = time.monotonic()
        if now + event.seconds > self._silent_until.get(event.host, 0.0):
            self._silent_until[event.host] = now + max(event.seconds, _HELD_AGAIN_SECONDS) + 1
            self._print(f"{event.host}: asks to wait {_span(event.seconds)}")


def _console() -> Console:
    """Return a console on standard error, also in a notebook: rich's own support for notebooks
    needs ipywidgets, while a carriage return, as in a terminal, works in each of them.
    """
    console = Console(stderr=True)
    if console.is_jupyter:
        return Console(
            stderr=True, force_jupyter=False, force_terminal=True, width=_NOTEBOOK_COLUMNS
        )
    return console


class _Stage:
    """The live line of one stage."""

    def __init__(self, console: Console, began: Began) -> None:
        self._bar = Bar(console=console, refresh_per_second=_REFRESHES_PER_SECOND)
        self._task = self._bar.add_task(began.label, total=began.total, bad="")
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
        self._name_of_bad = began.bad
        self._bad = Counter[StrEnum]()
        self._done, self._bytes = began.standing, 0
        self._draw()
        self._bar.start()

    def advance(self, reasons: tuple[StrEnum | None, ...]) -> None:
        """Count items that are done; None is the reason of a good one."""
        self._done += len(reasons)
        self._bad.update(filter(None, reasons))
        if time.monotonic() - self._drawn_at > 1 / _REFRESHES_PER_SECOND:  # to draw costs more
            self._draw()

    def add_bytes(self, number: int) -> None:
        """Count bytes that were fetched."""
        self._bytes += number

    def end(self) -> None:
        """Draw the line for the last time."""
        self._draw()
        self._bar.stop()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        self._bar.update(self._task, completed=self._done, bad=self._show_bad())
        self._bar.update(self._volume, completed=self._bytes)

    def _show_bad(self) -> str:
        named = [f"{count:,} {bad}" for bad, count in self._bad.most_common(_NAMED_REASONS)]
        colon = ": " if named else ""
        return f"{self._bad.total():,} {self._name_of_bad}{colon}{', '.join(named)}"


class _Rate(ProgressColumn):
    """Items per second."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.1f}/s")


class _Bytes(ProgressColumn):
    """Bytes fetched, counted by a second task; empty while there are none."""

    def __init__(self, task: Task) -> None:
        super().__init__(Column(no_wrap=True))
        self._task = task

    def render(self, _: Task) -> Text:
        if not self._task.completed:
            return Text("")
        speed = (self._task.speed or 0) / 1e6
        return Text(f"{self._task.completed / 1e6:,.1f} MB, {speed:,.1f} MB/s")


def _span(seconds: float) -> str:
    """Return a time to wait as text, with the time of day at which it ends."""
    if seconds > _DAY_SECONDS:
        return "for more than a day"
    until = datetime.now() + timedelta(seconds=seconds)  # noqa: DTZ005
    return f"{seconds:,.0f} s, until {until:%H:%M:%S}"
