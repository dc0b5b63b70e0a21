"""HTTP requests, responses and bodies."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.transports import codings, http_answers
from dafre_fast.sources.transports.exchange import Exchange, refuse_unasked
from dafre_fast.sources.transports.stall import StallGuard

_PAGE_BYTES = 1 << 14


class Request(NamedTuple):
    """An object, or a span of it, that is asked for (`interface.Transport.open`)."""

    address: str
    url: URL
    span: Span | None
    etag: str | None

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for the span (RFC 9110, 14.2 and 13.1.5)."""
        if self.span is None:
            return {}
        last = "" if self.span.stop is None else self.span.stop - 1
        headers = {"Range": f"bytes={self.span.start}-{last}"}
        return headers | {"If-Range": self.etag} if self.etag else headers

    def named(self, url: URL) -> str:
        """Return a URL as text: the address as it was given, if it is that."""
        return self.address if url == self.url else str(url)


class Response(aiohttp.ClientResponse):
    """A response that knows who sent it, and is no answer to an earlier request."""

    peer: Any = None
    """(address, port) of the other end of the connection, None if that is not known."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        self.peer = connection.transport and connection.transport.get_extra_info("peername")
        refuse_unasked(connection.protocol)
        return await super().start(connection)


class Incoming:
    """A response and its bytes as they come."""

    def __init__(self, response: Response | Exchange, settings: Fetching) -> None:
        self.response = response
        self._stall = StallGuard(settings)
        self.peeked = b""

    async def peek(self, *, must: bool) -> None:
        """Read the beginning of a page.

        The page of an error is read so that the connection can be kept; `must` is False for it,
        and failures on the way do not matter.
        """
        try:
            while len(self.peeked) < _PAGE_BYTES and (chunk := await self._receive()):
                self.peeked += chunk
        except (Passing, aiohttp.ClientError):
            if must:
                raise

    async def read(self) -> bytes:
        """Return the next bytes, those that were peeked at first; none at the end. Raises Passing
        TOO_SLOW.
        """
        peeked, self.peeked = self.peeked, b""
        return peeked or await self._receive()

    async def _receive(self) -> bytes:
        content = self.response.content
        if data := content.read_nowait():  # without a timer, which would cost more
            self._stall.count(data)
            return data
        if content.at_eof():
            return b""
        return await self._stall.receive(content.readany())


class HttpBody:
    """An object on its way (`dafre_fast.sources.interface.Body`)."""

    def __init__(self, incoming: Incoming, request: Request) -> None:
        """Raises Refusal if it is not what was asked for, Passing if that may change."""
        response = incoming.response
        headers = response.headers
        self._incoming = incoming
        self.url, self.status = request.named(response.url), response.status
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            if request.span is None:
                raise Refusal(Reason.HTTP_ERROR, "status 206, though no part was asked for")
            self.start, self.total = http_answers.part(headers, request.span, request.etag)
        else:
            self.start, self.total = 0, response.content_length
        self._decoder = self._decoder_of(headers.getall("Content-Encoding", []))
        if self._decoder:
            self.total = None
        self.following = http_answers.next_page(headers.getall("Link", []))
        """The next page of a list, as a reference."""
        self.etag = http_answers.plain(headers.get("ETag"))
        self.last_modified = http_answers.plain(headers.get("Last-Modified"))
        accepts = headers.get("Accept-Ranges", "bytes") != "none"
        self.strong = accepts and self._decoder is None and http_answers.strong(self.etag)

    def _decoder_of(self, values: Sequence[str]) -> codings.Decoder | None:
        """Return a decoder if any coding is declared that can be undone."""
        declared = codings.declared(values)
        is_gzip = self._incoming.response.url.path.endswith((".gz", ".tgz"))
        return codings.decoder(declared, is_gzip=is_gzip) if declared else None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes. Raises Passing TOO_SLOW as `StallGuard` does, NETWORK_ERROR if
        compressed data is damaged or breaks off.
        """
        decoder = self._decoder
        while chunk := await self._incoming.read():
            if decoder is None:
                yield chunk
                continue
            for piece in decoder.decode(chunk):
                yield piece
                await asyncio.sleep(0)  # a few bytes may become many: let others run in between
        for piece in decoder.finish() if decoder else ():
            yield piece
