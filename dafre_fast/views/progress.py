"""Show a run on standard error: how far it has come, and lines that stay: notices, and what
hosts do.

In a terminal, the last line is live. Anywhere else, such as in a log, a stage gets a line every so
often, and a step that lasts gets one within about a second.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain, repeat
from os import environ
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Protocol, Self

from dafre_fast.core.events import (
    Advanced,
    Began,
    Doing,
    Down,
    Ended,
    Event,
    Held,
    Notice,
    Outcome,
    Up,
)
from dafre_fast.views.lines import DoingLine, StageLine

if TYPE_CHECKING:
    from rich.console import Console

_SOON_SECONDS = 1.0
"""A step that ends sooner is not shown."""
_LIVE_SECONDS = 0.25
_FIRST_REPORTS = (10.0, 20.0, 30.0)
_REPORT_SECONDS = 60.0
"""Pauses between the lines in a log: first short ones, then this."""
_DAY_SECONDS = 86_400.0
_HELD_AGAIN_SECONDS = 60.0
"""Seconds after a host's request to wait in which its further ones are not shown."""
_NOTEBOOK_COLUMNS = 100


class Progress:
    """An observer, and a context that ends what it shows, also after an exception."""

    def __init__(self) -> None:
        self._screen = _screen()
        self._stage: StageLine | None = None
        self._ticker: _Ticker | None = None
        self._silent_until = dict[str, float]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def __call__(self, event: Event) -> None:
        match event:
            case Advanced(reasons) if self._stage:
                self._stage.advance(reasons, earlier=event.earlier)
            case Outcome(fetched) if self._stage and fetched.attempts:
                self._stage.add_bytes(fetched.bytes or 0)
            case Began():
                self._end()
                self._stage = StageLine(event, time.monotonic())
                self._tick(self._stage, self._screen.pauses())
            case Doing(text):
                self._end()
                step = DoingLine(text, time.monotonic())
                self._tick(step, chain((_SOON_SECONDS,), self._screen.pauses()))
            case Ended():
                self._end()
            case Notice(text):
                self._screen.say(text)
            case Down():
                self._screen.say(f"{event.host}: {_down(event)}")
            case Up():
                self._screen.say(f"{event.host}: answers again")
            case Held():
                self._say_held(event)
            case _:
                pass

    def _tick(self, line: StageLine | DoingLine, pauses: Iterable[float]) -> None:
        self._ticker = _Ticker(pauses, lambda: self._screen.show(line))
        self._ticker.start()

    def _end(self) -> None:
        stage, ticker = self._stage, self._ticker
        self._stage = self._ticker = None
        if ticker:
            ticker.end()
        self._screen.clear()
        if stage:
            self._screen.say(stage.last_line(time.monotonic(), self._screen.columns()))

    def _say_held(self, event: Held) -> None:
        now = time.monotonic()
        if now + event.seconds > self._silent_until.get(event.host, 0.0):
            self._silent_until[event.host] = now + max(event.seconds, _HELD_AGAIN_SECONDS) + 1
            self._screen.say(f"{event.host}: asks to wait {_span(event.seconds)}")


def _down(event: Down) -> str:
    if event.error:
        return f"never answered ({event.error})"
    return f"paused for {event.seconds:g} s after {event.failures} failures in a row"


class _Ticker(Thread):
    """Calls a function after each of a series of pauses (seconds), until its end."""

    def __init__(self, pauses: Iterable[float], tick: Callable[[], None]) -> None:
        super().__init__(name="dafre_fast progress", daemon=True)
        self._pauses, self._tick, self._over = pauses, tick, Flag()

    def run(self) -> None:
        for seconds in self._pauses:
            if self._over.wait(seconds):
                return
            self._tick()

    def end(self) -> None:
        """Return when the function will not be called again."""
        self._over.set()
        self.join()


class _Screen(Protocol):
    """A place that shows lines: a terminal, or anything else."""

    def pauses(self) -> Iterator[float]:
        """Yield the seconds between one showing of a line and the next."""

    def columns(self) -> int | None:
        """Return the width, None if lines may have any."""

    def show(self, line: StageLine | DoingLine) -> None:
        """Show a line as it is now."""

    def clear(self) -> None:
        """Remove the line that was shown, if it can be removed."""

    def say(self, text: str) -> None:
        """Show a line that stays."""


class _Log:
    """Lines one after another, such as in a file."""

    def pauses(self) -> Iterator[float]:
        return chain(_FIRST_REPORTS, repeat(_REPORT_SECONDS))

    def columns(self) -> int | None:
        return None

    def show(self, line: StageLine | DoingLine) -> None:
        self.say(line.line(time.monotonic()))

    def clear(self) -> None:
        pass

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class _Terminal:
    """A terminal, or the output of a notebook's cell, whose last line is live."""

    def __init__(self, console: "Console") -> None:
        from rich.live import Live

        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def pauses(self) -> Iterator[float]:
        return chain((0.0,), repeat(_LIVE_SECONDS))

    def columns(self) -> int | None:
        return self._console.width

    def show(self, line: StageLine | DoingLine) -> None:
        from rich.text import Text

        text = line.line(time.monotonic(), self._console.width)
        self._live.start()
        self._live.update(Text(text, no_wrap=True, overflow="crop"), refresh=True)

    def clear(self) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(text, soft_wrap=True, markup=False, highlight=False, emoji=False)


def _screen() -> _Screen:
    """Return the screen of standard error. rich, which takes a while to import, is imported only
    for a terminal or a notebook.
    """
    is_dumb = environ.get("TERM", "").lower() in {"dumb", "unknown"}
    if sys.stderr.isatty() and not is_dumb:
        from rich.console import Console

        return _Terminal(Console(stderr=True, force_terminal=True))
    if "IPython" in sys.modules:
        from rich.console import Console

        # rich's own support for notebooks needs ipywidgets; a carriage return works in each.
        if Console(stderr=True).is_jupyter:
            return _Terminal(
                Console(
                    stderr=True, force_jupyter=False, force_terminal=True, width=_NOTEBOOK_COLUMNS
                )
            )
    return _Log()


def _span(seconds: float) -> str:
    """Return a time to wait as text, with the time of day at which it ends."""
    if seconds > _DAY_SECONDS:
        return "for more than a day"
    until = datetime.now() + timedelta(seconds=seconds)  # noqa: DTZ005
    return f"{seconds:,.0f} s, until {until:%H:%M:%S}"
