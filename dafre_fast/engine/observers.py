"""Report the progress of a run to its observer."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple, Protocol

from dafre_fast.core.events import Advanced, Asked, Began, Ended, Event, Tell
from dafre_fast.engine.timing import Tally


class Advance(Protocol):
    """Report items that are done, by this run or an `earlier` one: the reason of each, None for one
    that ended well.
    """

    def __call__(self, *reasons: StrEnum | None, earlier: bool = False) -> None: ...


@contextmanager
def counted(tell: Tell, label: str, total: int, bad: str = "refused") -> Iterator[Advance]:
    """Report a stage of `total` items from begin to end; see `Began` for the arguments."""
    tell(Began(label, total, bad=bad))
    try:
        yield lambda *reasons, earlier=False: tell(Advanced(reasons, earlier))
    finally:
        tell(Ended())


class Watch(NamedTuple):
    """The counts of a run for its summary, and the observer that it reports to."""

    label: str
    tally: Tally
    tell: Tell

    def begin(self, images: int, standing: int, whole: int = 0) -> None:
        """Report that `images` are asked for, `standing` of them done by earlier runs; those of a
        part are some of `whole`.
        """
        self.tell(Began(self.label, images, standing))
        self.tell(Asked(images, standing, whole if whole > images else 0))

    def advance(self, *reasons: StrEnum | None) -> None:
        """Report images that are done: the reason of each refusal, None for a success."""
        self.tell(Advanced(reasons))


@contextmanager
def watching(label: str, tell: Tell) -> Iterator[Watch]:
    """Count the events of one run for its summary, and pass them on to an observer."""
    tally = Tally()

    def tell_both(event: Event) -> None:
        tally(event)
        tell(event)

    try:
        yield Watch(label, tally, tell_both)
    finally:
        tell(Ended())
