"""Exchange: a request and its response over a connection of the HTTP library, read by its parser,
but without its session, which costs more than all else about a small original.
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

_WITHOUT_END = aiohttp.ClientTimeout()


class Limits(NamedTuple):
    """How the parser of the library reads: the longest status line and header, and how many bytes
    it holds before their reader is slower than the network.
    """

    header_bytes: int
    held_bytes: int


class Asker:
    """Sends GET requests to one origin, directly and without name and password."""

    def __init__(
        self, session: aiohttp.ClientSession, url: URL, trusts: Any, limits: Limits
    ) -> None:
        """`url` is of the origin; `trusts` are the certificates, as the library takes them."""
        assert session.connector is not None
        self._connector, self._limits = session.connector, limits
        # Every request has the headers that the library would send, and connections are kept by it.
        self._request = aiohttp.ClientRequest(
            "GET",
            url.origin(),
            headers=session.headers,
            loop=asyncio.get_running_loop(),
            session=session,
            ssl=trusts,
        )
        self._headers = _lines(self._request.headers)

    async def ask(self, url: URL, headers: Mapping[str, str]) -> "Exchange":
        """Return the response, up to its body. `headers` are added to those of the session.

        Raises ClientError and OSError as the session would. As it does, asks once more if the
        connection breaks off before the response: it may have been kept for too long.
        """
        try:
            return await self._ask(url, headers)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            return await self._ask(url, headers)

    async def _ask(self, url: URL, headers: Mapping[str, str]) -> "Exchange":
        connection = await self._connector.connect(self._request, [], _WITHOUT_END)
        try:
            return await self._over(connection, url, headers)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(
                self._request.request_info, (), status=error.code, message=error.message
            ) from error
        except BaseException:
            connection.close()
            raise

    async def _over(
        self, connection: Connection, url: URL, headers: Mapping[str, str]
    ) -> "Exchange":
        protocol, transport = connection.protocol, connection.transport
        assert protocol is not None
        protocol.set_response_params(
            auto_decompress=False,
            read_until_eof=True,
            read_bufsize=self._limits.held_bytes,
            max_line_size=self._limits.header_bytes,
            max_field_size=self._limits.header_bytes,
        )
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
        head = f"GET {url.raw_path_qs} HTTP/1.1\r\n{self._headers}{_lines(headers)}\r\n"
        transport.write(head.encode())
        peer = transport.get_extra_info("peername")
        refuse_unasked(protocol)
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, content = await protocol.read()
        return Exchange(url, message.code, message.headers, content, peer, connection)


class Exchange:
    """A response (as `aiohttp.ClientResponse`); a context that gives its connection back."""

    def __init__(
        self,
        url: URL,
        status: int,
        headers: CIMultiDictProxy[str],
        content: aiohttp.StreamReader,
        peer: Any,
        connection: Connection,
    ) -> None:
        self.url, self.status, self.headers = url, status, headers
        self.content, self.peer = content, peer
        length = headers.get("Content-Length")
        self.content_length = int(length) if length is not None else None
        self._connection = connection
        content.on_eof(connection.release)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.release()  # and closed by that if the body has not come


def refuse_unasked(protocol: ResponseHandler) -> None:
    """Raise ServerDisconnectedError if bytes came before the request was sent: they are no answer
    to it. The request is then sent once more on another connection.
    """
    if protocol.should_close:
        raise aiohttp.ServerDisconnectedError("it sent what nobody had asked for")


def _lines(headers: Mapping[str, str]) -> str:
    """Return headers as they are sent. Raises ValueError for one that would be several."""
    for name, value in headers.items():
        if not value.isprintable():
            raise ValueError(f"a header {name} with control characters")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
