"""Objects over HTTP: one request at a time, each hop of a redirect looked at before it is taken."""

import asyncio
import contextvars
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from dafre_fast.model.errors import Refusal, SourceError
from dafre_fast.model.reason import Reason
from dafre_fast.model.settings import Fetching
from dafre_fast.sources.effort import Effort, Passing
from dafre_fast.sources.hosts import Hosts, Reach, Turn, reach_of
from dafre_fast.sources.source import Span

_MOST_REDIRECTS = 5
_DNS_SECONDS = 300
_CHUNK_BYTES = 1 << 18
_PAGE_BYTES = 1 << 14
_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_FORBIDDEN = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS,
}
_REDIRECTS = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
}
_CHALLENGES = (
    b"<title>just a moment...</title>",
    b"/cdn-cgi/challenge-platform/",
    b"cf-chl-",
    b"checking your browser before accessing",
    b"<title>ddos-guard</title>",
    b"making sure you&#39;re not a bot!",
    b"g-recaptcha",
    b"h-captcha",
)
"""What stands in the pages with which Cloudflare, DDoS-Guard, Anubis and captchas answer robots."""

_allowed: contextvars.ContextVar[frozenset[Reach]] = contextvars.ContextVar("_allowed")
_ALL = frozenset(Reach)


def user_agent(contact: str) -> str:
    """Name, version and whom to ask, as RFC 9110, 10.1.5 has it."""
    agent = f"dafre_fast/{version('dafre_fast')}"
    return f"{agent} (+{contact})" if contact else agent


class Http:
    """A transport (`dafre_fast.sources.source`) over HTTP and HTTPS; an async context."""

    def __init__(self, settings: Fetching, hosts: Hosts) -> None:
        self._settings, self._hosts = settings, hosts

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,  # turns at a host are limited instead
            ttl_dns_cache=_DNS_SECONDS,
            ssl=not self._settings.insecure,
            socket_factory=_guarded_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(),  # an effort has its own, for all attempts together
            headers={
                "User-Agent": user_agent(self._settings.contact),
                "Accept-Encoding": "identity",
            },
            auto_decompress=False,
            trust_env=True,
            read_bufsize=_CHUNK_BYTES,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @asynccontextmanager
    async def open(
        self, address: str, effort: Effort, span: Span | None = None, etag: str | None = None
    ) -> AsyncIterator["HttpBody"]:
        headers = _range_headers(span, etag)
        url, reach = _parsed(address), None
        for _ in range(_MOST_REDIRECTS + 1):
            if reach is not None:
                self._check_hop(url, reach)
            await self._meet(url)
            async with self._hosts.turn(_name(url), effort.waited) as turn:
                with _translated(url, turn):
                    async with self._get(url, headers, reach) as response:
                        if response.status not in _REDIRECTS:
                            head = await self._check(response, turn, span)
                            yield HttpBody(response, head, span, self._settings)
                            return
                        turn.succeeded()
                        if reach is None:
                            reach = _reach_of_peer(response)
                        url = _target(response)
        raise Refusal(Reason.BAD_REDIRECT, f"{address}: more than {_MOST_REDIRECTS} redirects")

    @asynccontextmanager
    async def _get(
        self, url: URL, headers: dict[str, str], reach: Reach | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, up to its body. The first hop goes where the user said; the next may only
        lead to public addresses, or to such as that.
        """
        free = self._settings.allow_private or reach is None or _proxied(url)
        token = _allowed.set(_ALL if free or reach is None else frozenset({Reach.PUBLIC, reach}))
        try:
            async with asyncio.timeout(self._settings.stall_timeout):
                response = await self._session.get(url, headers=headers, allow_redirects=False)
        except TimeoutError as error:
            detail = f"{url}: no answer in {self._settings.stall_timeout:g} s"
            raise _HostFailed(Reason.TOO_SLOW, detail) from error
        finally:
            _allowed.reset(token)
        async with response:
            yield response

    async def _meet(self, url: URL) -> None:
        """Find out once for each host what kind of address it has."""
        if self._hosts.knows(_name(url)):
            return
        reach = Reach.PUBLIC
        if not _proxied(url):
            try:
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
                reach = max(reach_of(str(place[0])) for *_, place in found)
            except OSError:
                pass  # the request itself will tell
        self._hosts.meet(_name(url), reach)

    def _check_hop(self, url: URL, reach: Reach) -> None:
        if url.scheme not in {"http", "https"} or not url.host:
            raise Refusal(Reason.BAD_REDIRECT, f"to {url}: neither http nor https")
        try:
            target = reach_of(url.host)
        except ValueError:
            return  # a name: looked at when its address is known, where the socket is made
        if target not in (Reach.PUBLIC, reach) and not self._settings.allow_private:
            raise Refusal(Reason.BAD_REDIRECT, f"to {url}: a {target.name.lower()} address")

    async def _check(
        self, response: aiohttp.ClientResponse, turn: Turn, span: Span | None
    ) -> bytes:
        """Raises where it is not the object; gives what had to be read of the body for that."""
        status, detail = response.status, f"{response.url}: status {response.status}"
        head = await _read_page(response)
        _stop_at_a_challenge(response, head)
        if (wait := _retry_after(response)) and (status in _TRY_AGAIN or status >= 500):
            turn.hold(wait)
        if status in _TRY_AGAIN or status >= 500:
            raise _HostFailed(Reason.SERVER_ERROR, detail)
        turn.succeeded()
        if status in _GONE:
            raise Refusal(Reason.NOT_FOUND, detail)
        if status in _FORBIDDEN:
            raise Refusal(Reason.FORBIDDEN, detail)
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and span:
            raise Passing(Reason.HTTP_ERROR, detail)
        if status == HTTPStatus.PARTIAL_CONTENT and span:
            _check_range(response, span)
        elif status != HTTPStatus.OK:
            raise Refusal(Reason.HTTP_ERROR, detail)
        if self._settings.respect_noai and (said := _opted_out(response)):
            raise Refusal(Reason.OPTED_OUT, f"{response.url}: X-Robots-Tag: {said}")
        return head


class HttpBody:
    """What came of a request (`dafre_fast.sources.source.Body`)."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        head: bytes,
        span: Span | None,
        settings: Fetching,
    ) -> None:
        headers = response.headers
        self._response, self._head, self._settings = response, head, settings
        self.url, self.status = str(response.url), response.status
        self._decoder = _decoder(response)
        partial = response.status == HTTPStatus.PARTIAL_CONTENT and span is not None
        self.start = span.start if partial and span else 0
        self.total = _total(response) if partial else response.content_length
        if self._decoder:
            self.total = None
        self.etag, self.last_modified = headers.get("ETag"), headers.get("Last-Modified")
        tag = self.etag or "W/"
        accepts = headers.get("Accept-Ranges", "bytes") != "none"
        self.strong = not tag.startswith("W/") and accepts and self._decoder is None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises Passing TOO_SLOW where fewer bytes come than `--min-rate` in `--stall-timeout`."""
        if self._decoder is None:
            if self._head:
                yield self._head
            async for chunk in self._received():
                yield chunk
            return
        for piece in _inflated(self._decoder, self._head, self.url):
            yield piece
        async for chunk in self._received():
            for piece in _inflated(self._decoder, chunk, self.url):
                yield piece
        if not self._decoder.eof:
            raise Passing(Reason.NETWORK_ERROR, f"{self.url}: its compressed body breaks off")

    async def _received(self) -> AsyncIterator[bytes]:
        seconds = self._settings.stall_timeout
        quota, got = self._settings.min_rate * seconds, 0
        clock = asyncio.get_running_loop().time
        began = clock()
        while True:
            try:
                async with asyncio.timeout_at(began + seconds):
                    chunk = await self._response.content.readany()
            except TimeoutError as error:
                detail = f"{self.url}: {got:,} bytes in {seconds:g} s"
                raise Passing(Reason.TOO_SLOW, detail) from error
            if not chunk:
                return
            got += len(chunk)
            if got >= quota:
                began, got = clock(), 0
            yield chunk


class _HostFailed(Passing):
    """The host as such, not one object of it."""


def _name(url: URL) -> str:
    return f"{url.host}:{url.port}"


def _parsed(address: str) -> URL:
    try:
        url = URL(address)
    except ValueError as error:
        raise Refusal(Reason.HTTP_ERROR, f"{address}: not a URL") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise Refusal(Reason.HTTP_ERROR, f"{address}: not a URL")
    return url


def _range_headers(span: Span | None, etag: str | None) -> dict[str, str]:
    """RFC 9110, 14.2 and 13.1.5."""
    if span is None:
        return {}
    last = "" if span.stop is None else span.stop - 1
    headers = {"Range": f"bytes={span.start}-{last}"}
    return headers | {"If-Range": etag} if etag else headers


def _guarded_socket(address: Any) -> socket.socket:
    """A socket to an address that the hop on its way may lead to."""
    family, kind, protocol, _, place = address
    reach = reach_of(str(place[0]))
    if reach not in _allowed.get(_ALL):
        raise _Inner(f"{place[0]} is a {reach.name.lower()} address")
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


class _Inner(OSError):
    """A redirect leads to an inner address."""


def _proxied(url: URL) -> bool:
    return url.scheme in getproxies() and not proxy_bypass(url.host or "")


def _reach_of_peer(response: aiohttp.ClientResponse) -> Reach:
    connection = response.connection
    transport = connection.transport if connection else None
    peer = transport.get_extra_info("peername") if transport else None
    return reach_of(str(peer[0])) if peer else Reach.PUBLIC


def _target(response: aiohttp.ClientResponse) -> URL:
    location = response.headers.get("Location", "")
    try:
        return response.url.join(URL(location))
    except ValueError as error:
        detail = f"{response.url}: to {location!r}"
        raise Refusal(Reason.BAD_REDIRECT, detail) from error


@contextmanager
def _translated(url: URL, turn: Turn) -> Iterator[None]:
    """The library's errors as ours, and what they say of the host."""
    try:
        yield
    except (aiohttp.ClientError, ConnectionError, ssl.SSLError, _HostFailed) as error:
        passing = _passing(url, error)
        if not isinstance(error, aiohttp.ClientPayloadError):
            turn.failed()
        raise passing from error


def _passing(url: URL, error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    detail = f"{url}: {str(error) or type(error).__name__}"
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Passing(Reason.DNS_ERROR, detail)
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return Refusal(Reason.BAD_CERTIFICATE, detail)
        case aiohttp.InvalidURL():
            return Refusal(Reason.HTTP_ERROR, detail)
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, _Inner):
            return Refusal(Reason.BAD_REDIRECT, f"to {url}: {error.os_error}")
    return Passing(Reason.NETWORK_ERROR, detail)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Seconds, of RFC 9110, 10.2.3: a number of them, or a date."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return float(said)
    try:
        date = parsedate_to_datetime(said)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max((date - datetime.now(UTC)).total_seconds(), 0.0)


def _opted_out(response: aiohttp.ClientResponse) -> str | None:
    """The directive of X-Robots-Tag that asks not to be used for training; one that is addressed
    to another robot (`name: noai`) does not count.
    """
    for header in response.headers.getall("X-Robots-Tag", []):
        for directive in header.lower().split(","):
            robot, colon, said = directive.rpartition(":")
            if said.strip() in {"noai", "noimageai"} and (
                not colon or robot.strip() in {"*", "dafre_fast"}
            ):
                return directive.strip()
    return None


def _is_page(response: aiohttp.ClientResponse) -> bool:
    return response.content_type in {"text/html", "application/xhtml+xml"}


async def _read_page(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of what is said to be a page."""
    page = b""
    while _is_page(response) and len(page) < _PAGE_BYTES:
        if not (chunk := await response.content.readany()):
            break
        page += chunk
    return page


def _stop_at_a_challenge(response: aiohttp.ClientResponse, page: bytes) -> None:
    """Raises SourceError where a server asks whether a person is there: none is."""
    text = page.lower()
    challenged = response.headers.get("cf-mitigated") == "challenge"
    if challenged or any(mark in text for mark in _CHALLENGES):
        raise SourceError(
            f"{response.url}: the server asks whether a person is there (a challenge page, status"
            f" {response.status}); stopped instead of asking on; see --rate and --contact"
        )


def _check_range(response: aiohttp.ClientResponse, span: Span) -> None:
    """Raises Passing where what comes is not what was asked for: RFC 9110, 14.4."""
    said = response.headers.get("Content-Range", "")
    unit, _, rest = said.partition(" ")
    first, _, last = rest.partition("/")[0].partition("-")
    right = unit == "bytes" and first == str(span.start) and last.isdecimal()
    if not right or (span.stop is not None and int(last) >= span.stop):
        detail = f"{response.url}: Content-Range {said!r} instead of {span.start}-"
        raise Passing(Reason.HTTP_ERROR, detail)


def _total(response: aiohttp.ClientResponse) -> int | None:
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isdecimal() else None


def _decoder(response: aiohttp.ClientResponse) -> Any:
    """Of a content coding that was not asked for; raises Refusal for one that is not known."""
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding in {"", "identity"}:
        return None
    if coding in {"gzip", "x-gzip", "deflate"}:
        return zlib.decompressobj(wbits=47)  # zlib or gzip, as its header tells
    detail = f"{response.url}: Content-Encoding {coding}, though identity was asked for"
    raise Refusal(Reason.HTTP_ERROR, detail)


def _inflated(decoder: Any, chunk: bytes, url: str) -> Iterator[bytes]:
    """In pieces of bounded size, however much a chunk would give."""
    try:
        while chunk:
            yield decoder.decompress(chunk, _CHUNK_BYTES)
            chunk = decoder.unconsumed_tail
    except zlib.error as error:
        raise Passing(Reason.NETWORK_ERROR, f"{url}: {error}") from error
