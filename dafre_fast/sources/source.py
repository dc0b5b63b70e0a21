"""What every source can do."""

from typing import Protocol, Self

from dafre_fast.model.records import Fetched


class Source(Protocol):
    """Finds or fetches originals; an async context for what it holds open."""

    parallel: int
    """How many `fetch` calls it serves at once."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def fetch(self, key: str) -> Fetched:
        """The original of an image, key being its decimal id: a path, or a reason. Never raises
        for what concerns this image alone.
        """
        ...
