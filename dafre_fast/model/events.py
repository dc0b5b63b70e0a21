"""What happens on the way to the originals, besides their outcomes; told while it happens."""

from collections.abc import Callable

from msgspec import Struct

from dafre_fast.model.reason import Reason


class Event(Struct, frozen=True, tag_field="event", tag=str.lower):
    """Base of all events."""


class Failed(Event, frozen=True):
    """An attempt failed; another follows where the failure is a passing one."""

    url: str
    attempt: int
    reason: Reason
    detail: str


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
