"""What every source of originals can do, and what every transport can."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from mmap import mmap
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from dafre_fast.core.records import Fetched, Sought

if TYPE_CHECKING:
    from dafre_fast.sources.manners.effort import Effort

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".zip")
"""Of archives."""


Take = Callable[[Sought, Fetched], Awaitable[None]]
"""Is given each outcome. It may wait: what is done with originals is slower than the network."""


HEAD_BYTES = 512
"""As many first bytes of a body as `Check.head` is given, or all of a shorter one."""


class Check(NamedTuple):
    """What is asked of the bytes of an image; each raises Refusal."""

    head: Callable[[bytes], object]
    """Is given the first bytes: no image at all?"""
    whole: Callable[[mmap], object]
    """Is given the whole file where no hash of it is known: does it come to its end?"""


class Planned(NamedTuple):
    """Where an original would come from, and its size in bytes where that is known."""

    url: str
    bytes: int | None


class Source(Protocol):
    """Finds or fetches originals; an async context for what it holds open."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        """Bring each to an outcome, a path or a reason, and give it to `take`, in whatever order
        they come, several at once. What concerns one image alone is never raised; SourceError
        where the source is not to be asked any more, OutputError where nothing can be written.
        """
        ...

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        """Tell for each where it would come from (None: from nowhere); no original is fetched."""
        ...


class Span(NamedTuple):
    """Bytes `start` to `stop` (exclusive; None: to the end) of an object."""

    start: int
    stop: int | None = None


class Body(Protocol):
    """An object on its way: what is known before its bytes."""

    @property
    def url(self) -> str:
        """Which answered at last."""
        ...

    @property
    def status(self) -> int | None:
        """That of HTTP."""
        ...

    @property
    def start(self) -> int:
        """Where its bytes begin: that of the span, or 0 where the server sends all of it."""
        ...

    @property
    def total(self) -> int | None:
        """Bytes of the whole object."""
        ...

    @property
    def etag(self) -> str | None: ...

    @property
    def strong(self) -> bool:
        """Whether the ETag stands for these very bytes, so that they can be gone on with."""
        ...

    @property
    def last_modified(self) -> str | None: ...

    def chunks(self) -> AsyncGenerator[bytes]:
        """The bytes. Raises Passing where they break off or come too slowly."""
        ...


class Transport(Protocol):
    """Reads objects by address; an async context for what it holds open."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    def host(self, address: str) -> str | None:
        """Return the name of the host that is asked for an object, None for no host."""
        ...

    def is_free(self, host: str) -> bool:
        """Return whether a host can be asked at once."""
        ...

    def open(
        self, address: str, effort: "Effort", span: Span | None = None, etag: str | None = None
    ) -> AbstractAsyncContextManager[Body]:
        """Ask for an object, or for a span of it; with `etag`, for the span only if it is still
        the same object, and for all of it otherwise.

        Raises Refusal, and Passing where another attempt may succeed.
        """
        ...
