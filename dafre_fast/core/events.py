"""Events: what happens during a run, reported while it happens.

Whoever does the work calls a `Tell` with each event. Commands pass one that shows the events in the
terminal (`views.terminal`); without an observer (`silent`) nobody sees them.
"""

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched


class Event(Struct, frozen=True, tag_field="event", tag=str.lower):
    """Base class of all events."""


class Notice(Event, frozen=True):
    """One line for a person, such as what slows this run down."""

    text: str


class Doing(Event, frozen=True):
    """Work begins in which nothing is counted, such as to read a table. It lasts until another step
    or a stage begins, or until `Ended`.
    """

    text: str


class StageEvent(Event, frozen=True):
    """Base class of the events that count progress; an event log leaves them out."""


class Began(StageEvent, frozen=True):
    """A stage of the work begins, in which `total` items are counted.

    `label` names the items ("images", "files"), `standing` is how many of them earlier runs did,
    and `bad` names those that end with a reason ("refused", "found").
    """

    label: str
    total: int
    standing: int = 0
    bad: str = "refused"


class Advanced(StageEvent, frozen=True):
    """More items of the stage are done: one reason for each, None if it ended well. With `earlier`,
    an earlier run did them, and this one has only looked at them.
    """

    reasons: tuple[StrEnum | None, ...]
    earlier: bool = False


class Ended(StageEvent, frozen=True):
    """The stage is over: all its items are done, or an exception ended it."""


class Asked(Event, frozen=True, omit_defaults=True):
    """A run is asked for `images`; `standing` of them were done by earlier runs. `whole` is the
    number of images of which a part is asked for some, 0 in a run of all.
    """

    images: int
    standing: int
    whole: int = 0


class Outcome(Event, frozen=True):
    """An original was fetched or found, or refused."""

    fetched: Fetched


class Failed(Event, frozen=True):
    """An attempt failed; `Again` follows if the failure is a passing one."""

    url: str
    attempt: int
    reason: Reason
    detail: str


class Again(Event, frozen=True):
    """Another attempt begins after a passing failure."""

    url: str
    attempt: int
    reason: Reason


class Waited(Event, frozen=True):
    """A request waited for its turn: because of the rate limit, of Retry-After, or of a host that
    is down.
    """

    host: str
    seconds: float


class Held(Event, frozen=True):
    """A host asks to wait (Retry-After); it gets no request for so many seconds."""

    host: str
    seconds: float


class Down(Event, frozen=True):
    """A host failed so often that it is left alone for so many seconds, then tried with one
    request.
    """

    host: str
    failures: int
    seconds: float
    error: str = ""
    """The last failure, for a host that never answered."""


class Up(Event, frozen=True):
    """A host that was down answers again."""

    host: str


class Pace(Event, frozen=True):
    """The number of simultaneous connections changes, for the reason `why`."""

    connections: int
    why: str


News = Held | Down | Up
"""News of a host that one run learns, and others that ask it should know."""

Tell = Callable[[Event], None]
"""An observer: called with each event, in order, by the thread that does the work."""


def silent(_: Event) -> None:
    """Ignore an event: the observer of those who asked for none."""
