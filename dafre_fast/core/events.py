"""What happens on the way to the originals, told while it happens to all who watch."""

from collections.abc import Callable

from msgspec import Struct

from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched


class Event(Struct, frozen=True, tag_field="event", tag=str.lower):
    """Base of all events."""


class Asked(Event, frozen=True):
    """So many images are asked for; `standing` of them were done by earlier runs."""

    images: int
    standing: int


class Outcome(Event, frozen=True):
    """What became of one original."""

    fetched: Fetched


class Failed(Event, frozen=True):
    """An attempt failed; `Again` follows where the failure is a passing one."""

    url: str
    attempt: int
    reason: Reason
    detail: str


class Again(Event, frozen=True):
    """Another attempt after a passing failure."""

    url: str
    attempt: int
    reason: Reason


class Waited(Event, frozen=True):
    """A request waited for its turn: for the rate, for what the host asks, or while it is down."""

    host: str
    seconds: float


class Held(Event, frozen=True):
    """A host asks for patience (Retry-After): none of it is asked for anything meanwhile."""

    host: str
    seconds: float


class Down(Event, frozen=True):
    """A host failed so often that it is left alone for a while, then tried with one request."""

    host: str
    failures: int
    seconds: float


class Up(Event, frozen=True):
    """A host that was down answers again."""

    host: str


class Pace(Event, frozen=True):
    """As many connections at once from now on, and why."""

    connections: int
    why: str


Tell = Callable[[Event], None]
