"""Receiver: the rest of a body of known size, past the parser of the HTTP library.

The library wakes its reader for every piece that the network brings, and copies each of them. Here
the socket is read into one buffer, and the reader is woken when that is full, when the body is
over, or after a moment.
"""

import asyncio
from collections.abc import Callable
from typing import Any

PIECE_BYTES = 1 << 18
_MOMENT_SECONDS = 0.01
"""How long bytes may lie in the buffer. Short beside the times over which rates are measured."""


class Receiver(asyncio.BufferedProtocol):
    """The protocol of a connection while the last bytes of one body come; `before` is its protocol
    otherwise, and gets it back with the last byte.
    """

    def __init__(self, before: Any, left: int, whole: Callable[[], object]) -> None:
        """`left` bytes are to come, one at least. `whole` is called when they have."""
        self._before, self._left, self._whole = before, left, whole
        self._transport: asyncio.Transport = before.transport
        # One byte more shows whether something follows that nobody asked for.
        self._buffer = memoryview(bytearray(min(left, PIECE_BYTES) + 1))
        self._filled = 0
        self._lost = self._due = False
        self._reader: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._transport.set_protocol(self)

    async def read(self) -> bytes:
        """Return the next bytes, none at the end, also if the connection was lost before it."""
        while not self._is_ready():
            self._reader = self._loop.create_future()
            await self._reader
        data = bytes(self._buffer[: self._filled])
        was_full = self._is_full()
        self._filled, self._due = 0, False
        if was_full and self._left and not self._lost:
            self._transport.resume_reading()
        return data

    def _is_ready(self) -> bool:
        is_over = self._lost or not self._left
        return is_over or self._is_full() or (self._due and self._filled > 0)

    def _is_full(self) -> bool:
        return self._filled >= len(self._buffer) - 1

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return the free part of the buffer."""
        return self._buffer[self._filled : self._filled + self._left + 1]

    def buffer_updated(self, nbytes: int) -> None:
        """Count bytes that came, and wake the reader if it is time."""
        if not self._filled:
            self._loop.call_later(_MOMENT_SECONDS, self._fall_due)
        if nbytes > self._left:
            self._before.force_close()  # or that would be taken for the next answer
        came = min(nbytes, self._left)
        self._filled += came
        self._left -= came
        if not self._left:
            self._transport.set_protocol(self._before)
            self._whole()
        elif self._is_full():
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool | None:
        """Pass on that no more will come."""
        answer: bool | None = self._before.eof_received()
        return answer

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on that the connection is lost."""
        self._lost = True
        self._before.connection_lost(exc)
        self._wake()

    def pause_writing(self) -> None:
        self._before.pause_writing()

    def resume_writing(self) -> None:
        self._before.resume_writing()

    def _fall_due(self) -> None:
        self._due = True
        self._wake()

    def _wake(self) -> None:
        if self._reader and not self._reader.done() and self._is_ready():
            self._reader.set_result(None)
