"""The interfaces of sources of originals, and of the transports that they read from."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from mmap import mmap
from typing import NamedTuple, Protocol, Self

from dafre_fast.core.records import Fetched, Sought
from dafre_fast.sources.manners.effort import Effort

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
"""Endings of the names of archives."""
Take = Callable[[Sought, Fetched], Awaitable[None]]
"""Called with each outcome. It may wait: to work on originals takes longer than to fetch them."""
HEAD_BYTES = 512
"""How many first bytes of a body `Check.head` gets; all of a shorter one."""


class Check(NamedTuple):
    """The checks that the bytes of an image must pass; each raises Refusal."""

    head: Callable[[bytes], object]
    """Takes the first bytes. Refuses what is no image at all."""
    whole: Callable[[bytes | mmap], bool]
    """Takes the whole file if no hash of it is known. Refuses what is not complete. True if the
    file has a proper end, False if only its picture is complete."""


class Planned(NamedTuple):
    """The address an original would come from, and its size in bytes, None if not known."""

    url: str
    bytes: int | None


class Source(Protocol):
    """Finds or fetches originals. An async context that holds its connections open."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        """Give each original one outcome, a path or a reason, and pass it to `take`: in any order,
        several at once.

        A second outcome of an original replaces the first: in an archive that is streamed, a member
        may be written again further on.

        A failure of one original is never raised. Raises SourceError if the source must not be
        asked any more, OutputError if nothing can be written.
        """
        ...

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        """Call `take` with the place each original would come from, None for nowhere. No original
        is fetched.
        """
        ...


class Span(NamedTuple):
    """Bytes `start` to `stop` of an object; `stop` is exclusive, None for the end."""

    start: int
    stop: int | None = None


class Body(Protocol):
    """An object on its way, with what is known before its bytes."""

    @property
    def url(self) -> str:
        """The address that answered last."""
        ...

    @property
    def status(self) -> int | None:
        """The HTTP status."""
        ...

    @property
    def start(self) -> int:
        """The position of its first byte: that of the span, or 0 if the server sends all of it."""
        ...

    @property
    def total(self) -> int | None:
        """The size of the whole object in bytes."""
        ...

    @property
    def etag(self) -> str | None:
        """The ETag as the server sent it."""
        ...

    @property
    def strong(self) -> bool:
        """Whether the ETag identifies these very bytes, so that they can be resumed."""
        ...

    @property
    def last_modified(self) -> str | None:
        """The date as the server sent it."""
        ...

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes. Raises Passing if they break off or come too slowly."""
        ...


class Transport(Protocol):
    """Reads objects by address. An async context that holds its connections open."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    def host(self, address: str) -> str | None:
        """Return the name of the host that is asked for an object, None for no host."""
        ...

    def is_free(self, host: str) -> bool:
        """Return whether a host can be asked at once."""
        ...

    def open(
        self, address: str, effort: Effort, span: Span | None = None, etag: str | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """Open an object, or a span of it. With `etag`, the span counts only if the object still
        has that ETag; otherwise all of it is opened.

        Raises Refusal, or Passing if another attempt may succeed.
        """
        ...
