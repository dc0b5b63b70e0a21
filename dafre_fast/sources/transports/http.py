"""HTTP and HTTPS: one request at a time, and each redirect checked before it is followed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from importlib.metadata import version
from typing import Self

import aiohttp
from aiohttp.http_exceptions import BadStatusLine
from yarl import URL

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Answer, Effort, HostFailed, Passing
from dafre_fast.sources.manners.hosts import Hosts, Reach, Turn, host_name
from dafre_fast.sources.transports import certificates, http_answers, redirects
from dafre_fast.sources.transports.exchange import Asker, Exchange, Limits
from dafre_fast.sources.transports.http_body import HttpBody, Incoming, Request, Response
from dafre_fast.sources.transports.proxies import Proxies
from dafre_fast.sources.transports.redirects import Hop
from dafre_fast.sources.transports.resolver import Resolver
from dafre_fast.sources.transports.urls import origin

_DNS_SECONDS = 300
_CHUNK_BYTES = 1 << 18
_HEADER_BYTES = 1 << 16
"""Longest header, and status line, that is read."""
_PAGES = {"text/html", "application/xhtml+xml"}
_OF_A_GATEWAY = {
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""Statuses by which a proxy says that the host does not answer."""
_LOGIN = "put USER:PASSWORD@ before the host in --source"


def user_agent(contact: str) -> str:
    """Return name, version and whom to ask (RFC 9110, 10.1.5)."""
    agent = f"dafre_fast/{version('dafre_fast')}"
    return f"{agent} (+{contact})" if contact else agent


class Http:
    """A transport (`dafre_fast.sources.interface`) over HTTP and HTTPS; an async context."""

    def __init__(
        self,
        settings: Fetching,
        hosts: Hosts,
        bearer: Mapping[str, str] | None = None,
        login: str = _LOGIN,
    ) -> None:
        """`bearer` are tokens by origin (`urls.origin`), and no other origin gets to see them.
        `login` says how the user gives a login.
        """
        self._login = login
        self._settings, self._hosts, self._bearer = settings, hosts, bearer or {}
        self._proxies = Proxies()
        self._open_session: aiohttp.ClientSession | None = None
        self._askers = dict[tuple[str, str], Asker]()
        """By scheme and authority."""

    async def __aenter__(self) -> Self:
        self._open_session = _new_session(self._settings)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    @property
    def _session(self) -> aiohttp.ClientSession:
        assert self._open_session is not None, "a context that was not entered"
        return self._open_session

    def host(self, address: str) -> str | None:
        """Return the name of the host of an address, None if it has none."""
        try:
            url = redirects.parsed(address)
        except Refusal:
            return None
        return host_name(url.host or "", url.port or 0)

    def is_free(self, host: str) -> bool:
        """Return whether a host can be asked at once."""
        return self._hosts.is_free(host)

    @asynccontextmanager
    async def open(
        self, address: str, effort: Effort, span: Span | None = None, etag: str | None = None
    ) -> AsyncIterator[HttpBody]:
        """Ask for an object (`dafre_fast.sources.interface.Transport.open`). Raises UsageError if
        the environment names a proxy or certificates for it that cannot be used.
        """
        hop = Hop(redirects.parsed(address))
        request = Request(address, hop.url, span, etag)
        for _ in range(redirects.MOST + 1):
            async with self._answer(hop, request, effort) as incoming:
                response = incoming.response
                if response.status not in http_answers.REDIRECTS:
                    yield HttpBody(incoming, request)
                    return
                location, private = response.headers.get("Location", ""), self._settings
                hop = hop.follow(location, response.peer, allow_private=private.allow_private)
        raise Refusal(Reason.BAD_REDIRECT, f"{address}: more than {redirects.MOST} redirects")

    @asynccontextmanager
    async def _answer(self, hop: Hop, request: Request, effort: Effort) -> AsyncIterator[Incoming]:
        """Wait for a turn at the host, and ask it."""
        self._equip(hop)
        name = await self._name(hop)
        async with self._hosts.turn(name, effort) as turn:
            with self._translated(hop, turn):
                response = await self._get(hop, request)
                async with response:
                    hop.check(response.peer)
                    if hop.proxy is None or response.status not in _OF_A_GATEWAY:
                        turn.answered()
                    effort.answer = Answer(request.named(hop.url), response.status)
                    incoming = Incoming(response, self._settings)
                    await self._check(incoming, turn)
                    yield incoming

    def _equip(self, hop: Hop) -> None:
        """Choose proxy and certificates for a hop. What the environment lacks for the address of
        the user is wrong usage; for one that a server names, it costs the image.
        """
        try:
            hop.proxy = self._proxies.to(hop.url)
            schemes = {hop.url.scheme, hop.proxy.scheme if hop.proxy else ""}
            hop.trusts = "https" not in schemes or self._trusted
        except UsageError as error:
            if hop.first:
                raise
            raise Refusal(Reason.BAD_REDIRECT, f"to {hop.url}: {error}") from error

    @cached_property
    def _trusted(self) -> ssl.SSLContext | bool:
        return False if self._settings.insecure else certificates.trusting()

    async def _get(self, hop: Hop, request: Request) -> Response | Exchange:
        """Return the answer, up to its body."""
        seconds = self._settings.stall_timeout
        try:
            with redirects.guarding(hop):
                async with asyncio.timeout(seconds):
                    return await self._ask(hop, request.headers() | self._credentials(hop.url))
        except TimeoutError as error:
            raise HostFailed(Reason.TOO_SLOW, f"no answer in {seconds:g} s") from error
        except ValueError as error:  # of the library, where it reads headers
            if isinstance(error, aiohttp.ClientError):
                raise
            raise Passing(Reason.HTTP_ERROR, f"headers that cannot be read: {error}") from error

    async def _ask(self, hop: Hop, headers: dict[str, str]) -> Response | Exchange:
        url = hop.url
        if hop.proxy is None and not url.raw_user and not url.raw_password:
            return await self._asker(hop).ask(url, headers)
        response = await self._session.get(
            url, headers=headers, allow_redirects=False, proxy=hop.proxy, ssl=hop.trusts
        )
        assert isinstance(response, Response)
        return response

    def _asker(self, hop: Hop) -> Asker:
        name = hop.url.scheme, hop.url.raw_authority
        if name not in self._askers:
            limits = Limits(_HEADER_BYTES, _CHUNK_BYTES)
            self._askers[name] = Asker(self._session, hop.url, hop.trusts, limits)
        return self._askers[name]

    def _credentials(self, url: URL) -> dict[str, str]:
        token = None if url.raw_user else self._bearer.get(origin(url))
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def _name(self, hop: Hop) -> str:
        """Return the name of the host, known to `Hosts` from now on. Behind a proxy it counts as
        public: only the proxy looks it up.
        """
        host, port = hop.url.host or "", hop.url.port or 0
        if hop.proxy is None and host and port:
            return await self._hosts.find(host, port)
        name = host_name(host, port)
        self._hosts.add(name, Reach.PUBLIC)
        return name

    async def _check(self, incoming: Incoming, turn: Turn) -> None:
        """Raise if the answer is neither the object nor a redirect."""
        response = incoming.response
        status, headers = response.status, response.headers
        good = status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
        page = http_answers.is_page(headers)
        if page or not good:
            await incoming.peek(must=good)
        if http_answers.challenges(status, headers, incoming.peeked if page else b""):
            raise SourceError(
                f"{response.url}: the server asks whether a person is there (a challenge page,"
                f" status {status}); stopped instead of asking on; see --rate and --contact"
            )
        refused = http_answers.refused(status, headers.get("X-Error-Code"))
        limit = http_answers.rate_limit(headers)
        if refused and refused.kind is HostFailed:
            if wait := http_answers.retry_after(headers, datetime.now(UTC)) or limit:
                turn.hold(wait)
            raise HostFailed(refused.reason, f"status {status}")
        turn.succeeded()
        if limit:  # none left: the next request would be refused
            turn.hold(min(limit, self._settings.patience))
        if refused:
            detail = http_answers.detail(status, headers, self._login)
            raise refused.kind(refused.reason, detail)
        if good and not page and self._settings.respect_noai:
            said = http_answers.opted_out(headers.getall("X-Robots-Tag", []))
            if said:
                raise Refusal(Reason.OPTED_OUT, f"X-Robots-Tag: {said}")

    @contextmanager
    def _translated(self, hop: Hop, turn: Turn) -> Iterator[None]:
        """Translate the library's errors, add the address, and note failures of the host."""
        try:
            yield
        except Refusal as refusal:
            _noted(refusal, hop, turn)
            raise
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                self._forget_address(hop.url)
            # A variable would keep the refusal, its traceback and this frame alive in a cycle.
            raise _noted(_refusal(error, hop), hop, turn) from error

    def _forget_address(self, url: URL) -> None:
        """Look up the host again next time: it may have moved."""
        connector = self._session.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        connector.clear_dns_cache(url.host, url.port)


def _new_session(settings: Fetching) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0,  # turns at a host are limited instead
        ttl_dns_cache=_DNS_SECONDS,
        resolver=Resolver(),
        socket_factory=redirects.guarded_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        response_class=Response,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),  # an effort limits the time of all attempts together
        headers={"User-Agent": user_agent(settings.contact), "Accept-Encoding": "identity"},
        auto_decompress=False,
        read_bufsize=_CHUNK_BYTES,
        max_line_size=_HEADER_BYTES,
        max_field_size=_HEADER_BYTES,
    )


def _noted(refusal: Refusal, hop: Hop, turn: Turn) -> Refusal:
    """Return a refusal with the address in its detail; note it if the host failed."""
    if isinstance(refusal, HostFailed) or refusal.reason is Reason.BAD_CERTIFICATE:
        turn.failed(refusal)
    if public(str(hop.url)) not in refusal.detail:
        refusal.detail = f"{hop.url}: {refusal.detail}"
    return refusal


def _refusal(error: Exception, hop: Hop) -> Refusal:
    """Return the refusal that an error of the library means."""
    detail = str(error) or type(error).__name__
    match error:
        case aiohttp.ClientConnectorError() if hop.refused:
            return Refusal(Reason.BAD_REDIRECT, f"to {hop.refused}")
        case aiohttp.ClientConnectorDNSError():
            return HostFailed(Reason.DNS_ERROR, detail)
        case aiohttp.ClientConnectorCertificateError():
            return Refusal(Reason.BAD_CERTIFICATE, detail)
        case aiohttp.InvalidURL():
            return Refusal(Reason.HTTP_ERROR if hop.first else Reason.BAD_REDIRECT, detail)
        case aiohttp.ClientPayloadError():
            return Passing(Reason.NETWORK_ERROR, detail)  # of one object
        case aiohttp.ClientHttpProxyError(status=HTTPStatus.PROXY_AUTHENTICATION_REQUIRED):
            return Refusal(Reason.UNAUTHORIZED, http_answers.detail(error.status, {}, ""))
        case aiohttp.ClientHttpProxyError():
            return HostFailed(Reason.NETWORK_ERROR, detail)
        case aiohttp.ClientResponseError() if isinstance(error.__cause__, BadStatusLine):
            return HostFailed(Reason.HTTP_ERROR, f"not HTTP: {error.message}")
        case aiohttp.ClientResponseError():
            return Passing(Reason.HTTP_ERROR, f"not HTTP: {error.message}")  # of one object
    return HostFailed(Reason.NETWORK_ERROR, detail)
