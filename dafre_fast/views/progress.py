"""The live line of a run: done of total, rate, time left, refusals. On standard error."""

import sys
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
from rich.text import Text


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
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.1f}/s")


class Progress:
    """A progress bar as a context; `bad` is what to call those that come with a reason. On anything
    but a terminal it is silent until the end.
    """

    def __init__(self, label: str, bad: str = "refused") -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn(f"{{task.fields[bad]}} {bad}"),
            console=Console(stderr=True),
            refresh_per_second=4,
        )
        self._task = self._bar.add_task(label, total=None, bad=0)
        self._bad = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._bar.live.is_started:  # or else it prints an empty line
            self._bar.stop()

    def begin(self, total: int, standing: int) -> None:
        """`standing` of `total` images were done by earlier runs."""
        self._bar.update(self._task, total=total, completed=standing)
        self._bar.start()

    def advance(self, *reasons: StrEnum | None) -> None:
        """More outcomes, each good (None) or bad for a reason."""
        self._bad += sum(reason is not None for reason in reasons)
        self._bar.update(self._task, advance=len(reasons), bad=self._bad)
