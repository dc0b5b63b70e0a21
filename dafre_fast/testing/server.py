"""A small HTTP server on raw sockets that can answer wrongly in every way.

A *play* is a function that answers one request, rightly or not.
"""

import asyncio
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress

from msgspec import Struct

_ARRIVES_SECONDS = 0.05
"""Time for a part of a body to reach the client, which would not see it if a reset came at once."""


class Exchange(Struct, frozen=True):
    """One request, and the connection on which it is answered."""

    attempt: int
    """Number of the request for this path, from 1."""
    connections: int
    """Connections accepted so far."""
    path: str
    headers: dict[str, str]
    """Headers of the request, by name in lower case."""
    file: bytes
    """The body that a server without fault would send."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def close(self) -> None:
        await asyncio.sleep(_ARRIVES_SECONDS)
        self.writer.close()

    async def reset(self) -> None:
        """Close the connection by RST instead of FIN."""
        await asyncio.sleep(_ARRIVES_SECONDS)
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def until_the_client_goes(self) -> None:
        await self.reader.read()
        self.writer.close()

    def range_start(self) -> int | None:
        """Return the first byte that the Range header asks for, or None without such a header."""
        said = self.headers.get("range", "").removeprefix("bytes=").partition("-")[0]
        return int(said) if said else None


Play = Callable[[Exchange], Awaitable[None]]
"""Answer one request. The connection is kept unless the play closes it."""


class Server:
    """A server that answers every request by the same play, and records the requests."""

    def __init__(self, play: Play, file: bytes = b"") -> None:
        self._play, self._file = play, file
        self._attempts = Counter[str]()
        self._talks = set[asyncio.Task[None]]()
        self._transports = set[asyncio.WriteTransport]()
        self.connections = 0
        self.requests: list[Exchange] = []

    @asynccontextmanager
    async def on(self, host: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Serve on a free port of an address; yields the port."""
        server = await asyncio.start_server(self._begin, host, 0, ssl=tls)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)
            # A client that keeps its connections would not answer the end of TLS.
            for transport in self._transports:
                transport.abort()
            await asyncio.sleep(0)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._transports.add(writer.transport)
        talk = asyncio.create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client may close its connection at any time.
        with suppress(ConnectionError, asyncio.IncompleteReadError), closing(writer):
            while not writer.is_closing():
                request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                path = request[0].split(" ")[1]
                named = (line.partition(": ") for line in request[1:] if line)
                headers = {name.lower(): value for name, _, value in named}
                self._attempts[path] += 1
                attempt, connections = self._attempts[path], self.connections
                self.requests.append(
                    Exchange(attempt, connections, path, headers, self._file, reader, writer)
                )
                await self._play(self.requests[-1])


def head(status: str, *headers: str, length: int | None = None) -> bytes:
    """Return the beginning of an answer, up to its body. `length` is its Content-Length."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()
