"""Objects over HTTP: one request at a time, each hop of a redirect looked at before it is taken."""

import asyncio
import contextvars
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, NamedTuple, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Answer, Effort, Passing
from dafre_fast.sources.manners.hosts import Hosts, Reach, Turn, find_reach, reach_of
from dafre_fast.sources.transports import http_answers

_MOST_REDIRECTS = 5
_DNS_SECONDS = 300
_CHUNK_BYTES = 1 << 18
_PAGE_BYTES = 1 << 14
_PAGES = {"text/html", "application/xhtml+xml"}


def user_agent(contact: str) -> str:
    """Name, version and whom to ask, as RFC 9110, 10.1.5 has it."""
    agent = f"dafre_fast/{version('dafre_fast')}"
    return f"{agent} (+{contact})" if contact else agent


class Http:
    """A transport (`dafre_fast.sources.interface`) over HTTP and HTTPS; an async context."""

    def __init__(
        self, settings: Fetching, hosts: Hosts, bearer: Mapping[str, str] | None = None
    ) -> None:
        """`bearer` has tokens by the hosts to which alone they are shown."""
        self._settings, self._hosts, self._bearer = settings, hosts, bearer or {}

    async def __aenter__(self) -> Self:
        # Read by the library, the environment would be a thread's errand at each request.
        self._proxies = proxies()
        self._connector = aiohttp.TCPConnector(
            limit=0,  # turns at a host are limited instead
            ttl_dns_cache=_DNS_SECONDS,
            ssl=not self._settings.insecure,
            socket_factory=guarded_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(),  # an effort has its own, for all attempts together
            headers={
                "User-Agent": user_agent(self._settings.contact),
                "Accept-Encoding": "identity",
            },
            auto_decompress=False,
            read_bufsize=_CHUNK_BYTES,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @asynccontextmanager
    async def open(
        self, address: str, effort: Effort, span: Span | None = None, etag: str | None = None
    ) -> AsyncIterator["HttpBody"]:
        asked, hop = _Asked(address, span, etag), Hop(_address(address))
        for _ in range(_MOST_REDIRECTS + 1):
            hop.proxy = self._proxy_to(hop.url)
            await self._meet(hop)
            effort.wait()
            async with self._hosts.turn(_name(hop.url), effort.waited) as turn:
                with self._translated(hop, turn):
                    async with self._get(hop, asked) as response:
                        effort.answer = Answer(asked.named(hop.url), response.status)
                        incoming = _Incoming(response, self._settings)
                        await self._check(response, incoming, turn)
                        if response.status not in http_answers.REDIRECTS:
                            yield HttpBody(response, incoming, asked)
                            return
                        hop = self._next(hop, response)
        raise Refusal(Reason.BAD_REDIRECT, f"{address}: more than {_MOST_REDIRECTS} redirects")

    @asynccontextmanager
    async def _get(self, hop: "Hop", asked: "_Asked") -> AsyncIterator["_Response"]:
        """The answer, up to its body."""
        token = _hop.set(None if hop.proxy else hop)
        seconds = self._settings.stall_timeout
        try:
            async with asyncio.timeout(seconds):
                response = await self._session.get(
                    hop.url,
                    headers=asked.headers() | self._credentials(hop.url),
                    allow_redirects=False,
                    proxy=hop.proxy,
                )
        except TimeoutError as error:
            raise _HostFailed(Reason.TOO_SLOW, f"no answer in {seconds:g} s") from error
        finally:
            _hop.reset(token)
        async with response:
            assert isinstance(response, _Response)
            if not hop.first and _reach(hop, response) not in hop.allowed:
                raise Refusal(Reason.BAD_REDIRECT, "over a connection to an inner address")
            yield response

    def _credentials(self, url: URL) -> dict[str, str]:
        token = self._bearer.get(url.host or "")
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _proxy_to(self, url: URL) -> URL | None:
        proxy = self._proxies.get(url.scheme)
        return None if proxy and proxy_bypass(url.host or "") else proxy

    async def _meet(self, hop: "Hop") -> None:
        """Find out once for each host what kind of address it has; the nearest to the public."""
        url = hop.url
        if self._hosts.knows(_name(url)):
            return
        known = hop.proxy is None and url.host and url.port
        reach = await find_reach(url.host or "", url.port or 0) if known else Reach.PUBLIC
        self._hosts.meet(_name(url), reach)

    def _next(self, hop: "Hop", response: "_Response") -> "Hop":
        """The first hop goes where the user said; the others may only lead to public addresses, or
        to such as that.
        """
        if self._settings.allow_private:
            allowed = frozenset(Reach)
        elif hop.first:
            allowed = frozenset({Reach.PUBLIC, _reach(hop, response)})
        else:
            allowed = hop.allowed
        return redirected(hop.url, response.headers.get("Location", ""), allowed)

    async def _check(self, response: "_Response", incoming: "_Incoming", turn: Turn) -> None:
        """Raises where it is neither the object nor a redirect."""
        status, headers = response.status, response.headers
        detail = f"status {status}"
        good = status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
        page = response.content_type in _PAGES
        if page or not good:
            await incoming.peek(must=good)
        if http_answers.challenges(status, headers, incoming.peeked if page else b""):
            raise SourceError(
                f"{response.url}: the server asks whether a person is there (a challenge page,"
                f" {detail}); stopped instead of asking on; see --rate and --contact"
            )
        reason = http_answers.reason(status)
        if reason is Reason.SERVER_ERROR:
            if wait := http_answers.retry_after(headers, datetime.now(UTC)):
                turn.hold(wait)
            raise _HostFailed(reason, detail)
        turn.succeeded()
        if reason:
            stale = status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            raise (Passing if stale else Refusal)(reason, detail)
        if good and self._settings.respect_noai:
            said = http_answers.opted_out(headers.getall("X-Robots-Tag", []))
            if said:
                raise Refusal(Reason.OPTED_OUT, f"X-Robots-Tag: {said}")

    @contextmanager
    def _translated(self, hop: "Hop", turn: Turn) -> Iterator[None]:
        """The library's errors as ours, with the address, and what they say of the host."""
        try:
            yield
        except (aiohttp.ClientError, OSError, Refusal) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                self._connector.clear_dns_cache(hop.url.host, hop.url.port)  # it may have moved
            refusal = _refusal(error, hop)
            if isinstance(refusal, _HostFailed) or refusal.reason is Reason.BAD_CERTIFICATE:
                turn.failed()
            if str(hop.url) not in refusal.detail:
                refusal.detail = f"{hop.url}: {refusal.detail}"
            if refusal is error:
                raise
            raise refusal from error


class HttpBody:
    """What came of a request (`dafre_fast.sources.interface.Body`)."""

    def __init__(self, response: "_Response", incoming: "_Incoming", asked: "_Asked") -> None:
        """Raises Refusal where it is not what was asked for, Passing where that may pass."""
        headers = response.headers
        self._incoming = incoming
        self.url, self.status = asked.named(response.url), response.status
        if response.status == HTTPStatus.PARTIAL_CONTENT:
            if asked.span is None:
                raise Refusal(Reason.HTTP_ERROR, "status 206, though no part was asked for")
            self.start, self.total = http_answers.part(headers, asked.span, asked.etag)
        else:
            self.start, self.total = 0, response.content_length
        self._decoder = http_answers.decoder(headers)
        if self._decoder:
            self.total = None
        following = response.links["next"]["url"] if "next" in response.links else None
        self.following = str(following) if following else None
        """The next page of a list, RFC 8288."""
        self.etag = http_answers.plain(headers.get("ETag"))
        self.last_modified = http_answers.plain(headers.get("Last-Modified"))
        accepts = headers.get("Accept-Ranges", "bytes") != "none"
        self.strong = accepts and self._decoder is None and http_answers.strong(self.etag)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Raises Passing TOO_SLOW where fewer bytes come than `--min-rate` in `--stall-timeout`."""
        while chunk := await self._incoming.read():
            if self._decoder is None:
                yield chunk
                continue
            for piece in http_answers.inflated(self._decoder, chunk):
                yield piece
                await asyncio.sleep(0)  # a little may become a lot: others have their turn
        if self._decoder and not self._decoder.eof:
            raise Passing(Reason.NETWORK_ERROR, "compressed data break off")


class _Incoming:
    """The bytes of an answer as they come, and not too slowly."""

    def __init__(self, response: "_Response", settings: Fetching) -> None:
        self._content, self._seconds = response.content, settings.stall_timeout
        self._quota = settings.min_rate * settings.stall_timeout
        self._waited, self._got = 0.0, 0
        self.peeked = b""

    async def peek(self, *, must: bool) -> None:
        """Look at the beginning of a page. Of what is no success all of it should be read, or its
        connection is not kept; there, what fails on the way does not matter.
        """
        try:
            while len(self.peeked) < _PAGE_BYTES and (chunk := await self._receive()):
                self.peeked += chunk
        except (Passing, aiohttp.ClientError):
            if must:
                raise

    async def read(self) -> bytes:
        """What was peeked at, then what comes; empty at the end. Raises Passing TOO_SLOW."""
        peeked, self.peeked = self.peeked, b""
        return peeked or await self._receive()

    async def _receive(self) -> bytes:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._seconds - self._waited):
                chunk = await self._content.readany()
        except TimeoutError as error:
            detail = f"{self._got:,} bytes in {self._seconds:g} s"
            raise Passing(Reason.TOO_SLOW, detail) from error
        self._waited += clock() - began
        self._got += len(chunk)
        if self._got >= self._quota:
            self._waited, self._got = 0.0, 0
        return chunk


class _HostFailed(Passing):
    """The host as such, not one object of it."""


class _Asked(NamedTuple):
    address: str
    span: Span | None
    etag: str | None

    def headers(self) -> dict[str, str]:
        """RFC 9110, 14.2 and 13.1.5."""
        if self.span is None:
            return {}
        last = "" if self.span.stop is None else self.span.stop - 1
        headers = {"Range": f"bytes={self.span.start}-{last}"}
        return headers | {"If-Range": self.etag} if self.etag else headers

    def named(self, url: URL) -> str:
        """The address as it was given, where it is that."""
        return self.address if url == URL(self.address) else str(url)


def proxies() -> dict[str, URL]:
    """Those of the environment, by scheme; their own may be missing. Raises UsageError."""
    found = {}
    for scheme, text in getproxies().items():
        if scheme not in {"http", "https"}:
            continue
        try:
            proxy = URL(text if "://" in text else f"http://{text}")
            _host(proxy)
        except ValueError as error:
            raise UsageError(f"{scheme}_proxy {text!r} of the environment: {error}") from error
        found[scheme] = proxy
    return found


@dataclass
class Hop:
    """One request on the way to an object, and the kinds of addresses to which it may go."""

    url: URL
    allowed: frozenset[Reach] = frozenset(Reach)
    first: bool = True
    proxy: URL | None = None
    refused: str = ""
    """The address to which it may not, once that was found out."""


_hop: contextvars.ContextVar[Hop | None] = contextvars.ContextVar("_hop", default=None)


class _Response(aiohttp.ClientResponse):
    peer: Any = None

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        self.peer = connection.transport and connection.transport.get_extra_info("peername")
        if connection.protocol.should_close:
            # Nothing was read for this request yet: what lies there is no answer to it. The library
            # asks once more on another connection.
            raise aiohttp.ServerDisconnectedError("it sent what nobody had asked for")
        return await super().start(connection)


def _reach(hop: Hop, response: _Response) -> Reach:
    """Of who answers; behind a proxy that is not known, and the strictest is said."""
    known = response.peer and hop.proxy is None
    return reach_of(str(response.peer[0])) if known else Reach.PUBLIC


def guarded_socket(address: Any) -> socket.socket:
    """A socket to an address, if the hop that is under way may lead there."""
    family, kind, protocol, _, place = address
    hop, reach = _hop.get(), reach_of(str(place[0]))
    if hop and reach not in hop.allowed:
        hop.refused = f"{place[0]}, a {reach.name.lower()} address"
        raise PermissionError(hop.refused)
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


def redirected(url: URL, location: str, allowed: frozenset[Reach]) -> Hop:
    """The next hop. Raises Refusal BAD_REDIRECT for no address, one that is not of HTTP, and one of
    a kind that is not allowed; a name is looked at when its address is known (`guarded_socket`).
    """
    try:
        if not location:
            raise ValueError("no Location")
        # As it stands, where it may: signed addresses are not the same with other escapes.
        target = url.join(URL(location, encoded=re.fullmatch(r"[!-~]+", location) is not None))
        host = _host(target)
    except ValueError as error:
        raise Refusal(Reason.BAD_REDIRECT, f"to {location!r}: {error}") from error
    try:
        reach = reach_of(host)
    except ValueError:
        return Hop(target, allowed, first=False)
    if reach not in allowed:
        raise Refusal(Reason.BAD_REDIRECT, f"to {target}: a {reach.name.lower()} address")
    return Hop(target, allowed, first=False)


def _address(text: str) -> URL:
    try:
        url = URL(text)
        _host(url)
    except ValueError as error:
        raise Refusal(Reason.HTTP_ERROR, f"{text}: {error}") from error
    return url


def _host(url: URL) -> str:
    """Raises ValueError where it has none that could be looked up, or is not of HTTP."""
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise ValueError("not an address of HTTP")
    if "\0" in url.raw_host:
        raise ValueError("a NUL byte")
    url.raw_host.encode("idna")  # the resolver would raise this later
    return url.raw_host


def _name(url: URL) -> str:
    return f"{url.host}:{url.port}"


def _refusal(error: Exception, hop: Hop) -> Refusal:
    detail = str(error) or type(error).__name__
    match error:
        case Refusal():
            return error
        case aiohttp.ClientConnectorError() if hop.refused:
            return Refusal(Reason.BAD_REDIRECT, f"to {hop.refused}")
        case aiohttp.ClientConnectorDNSError():
            return _HostFailed(Reason.DNS_ERROR, detail)
        case aiohttp.ClientConnectorCertificateError():
            return Refusal(Reason.BAD_CERTIFICATE, detail)
        case aiohttp.InvalidURL():
            return Refusal(Reason.HTTP_ERROR if hop.first else Reason.BAD_REDIRECT, detail)
        case aiohttp.ClientPayloadError():
            return Passing(Reason.NETWORK_ERROR, detail)  # of one object
        case aiohttp.ClientHttpProxyError():
            return _HostFailed(Reason.NETWORK_ERROR, detail)
        case aiohttp.ClientResponseError():
            return _HostFailed(Reason.HTTP_ERROR, f"not HTTP: {error.message}")
    return _HostFailed(Reason.NETWORK_ERROR, detail)
