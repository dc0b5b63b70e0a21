"""A body read piece by piece, and where in its object that is."""

from collections.abc import AsyncGenerator

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.effort import Passing


class Cursor:
    """At byte `at` of an object, of which `chunks` are what follows."""

    def __init__(self, name: str, chunks: AsyncGenerator[bytes], at: int = 0) -> None:
        self._name, self._chunks, self.at = name, chunks, at
        self._rest = b""
        self.broken = False
        """No more bytes will come."""

    async def pieces(self, count: int) -> AsyncGenerator[bytes]:
        """The next `count` bytes. Raises Passing where the object ends before."""
        while count > 0:
            if not self._rest:
                self._rest = await self._next()
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            self.at += len(piece)
            yield piece

    async def read(self, count: int) -> bytes:
        """The next `count` bytes, at once."""
        return b"".join([piece async for piece in self.pieces(count)])

    async def go_to(self, at: int) -> None:
        """Skip what comes before byte `at`. Raises Refusal for one that has passed."""
        if at < self.at:
            detail = f"{self._name}: byte {at:,} lies in what comes before it"
            raise Refusal(Reason.BAD_INDEX, detail)
        async for _ in self.pieces(at - self.at):
            pass

    async def _next(self) -> bytes:
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            self.broken = True
            detail = f"{self._name}: breaks off at byte {self.at:,}"
            raise Passing(Reason.NETWORK_ERROR, detail) from None
        except BaseException:
            self.broken = True
            raise
