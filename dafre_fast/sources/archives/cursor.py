"""Read the bytes of an object in order, and know the position in it."""

from collections.abc import AsyncGenerator

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.effort import Passing


class Cursor:
    """A position in an object: byte `at`, from which `chunks` go on. `name` is for messages."""

    def __init__(self, name: str, chunks: AsyncGenerator[bytes], at: int = 0) -> None:
        self._name, self._chunks, self.at = name, chunks, at
        self._rest = b""
        self.broken = False
        """Whether no more bytes will come."""
        self.over = False
        """Whether `ended` found the end of the object."""

    async def pieces(self, count: int) -> AsyncGenerator[bytes]:
        """Yield the next `count` bytes. Raises Passing if the object ends before."""
        while count > 0:
            if not self._rest:
                self._rest = await self._next()
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            self.at += len(piece)
            yield piece

    async def read(self, count: int) -> bytes:
        """Return the next `count` bytes. Raises Passing if the object ends before."""
        return b"".join([piece async for piece in self.pieces(count)])

    async def go_to(self, at: int) -> None:
        """Skip to byte `at`. Raises Refusal if that has been read already, else as `pieces`."""
        if at < self.at:
            detail = f"{self._name}: a member at byte {at:,} overlaps what is before it"
            raise Refusal(Reason.BAD_INDEX, detail)
        async for _ in self.pieces(at - self.at):
            pass

    async def ended(self) -> bool:
        """Return whether the object ends here, where its bytes came to their end in order."""
        try:
            while not self._rest:
                self._rest = await anext(self._chunks)
        except StopAsyncIteration:
            self.broken = self.over = True
        except BaseException:
            self.broken = True
            raise
        return self.over

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
