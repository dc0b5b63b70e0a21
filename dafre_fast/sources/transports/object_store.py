"""Object stores: Amazon S3, Google Cloud Storage and compatible ones, as `s3://` and `gs://`.

Endpoint and credentials come from the environment, under the names that each store's own tools
use. S3: `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_SESSION_TOKEN`, and `AWS_SKIP_SIGNATURE` for a public bucket without credentials. Google:
`GOOGLE_BASE_URL`, `GOOGLE_APPLICATION_CREDENTIALS`, `GOOGLE_SKIP_SIGNATURE`.

Proxies and certificates are those of the environment, as for HTTP.

Importing this module raises UsageError if obstore is not installed.
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Effort, HostFailed, Passing
from dafre_fast.sources.manners.hosts import Hosts, Turn, host_name
from dafre_fast.sources.transports import certificates, http_answers
from dafre_fast.sources.transports.http import user_agent
from dafre_fast.sources.transports.proxies import Proxies
from dafre_fast.sources.transports.stall import StallGuard
from dafre_fast.sources.transports.urls import url_of

try:
    import obstore
    from obstore.exceptions import BaseError, PreconditionError
    from obstore.store import GCSStore, S3Store
except ImportError as error:
    raise UsageError(
        "s3:// and gs:// addresses need obstore: pip install 'dafre_fast[objects]'"
    ) from error

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult
    from obstore.store import ClientConfig

_ENDPOINTS = {
    "s3": (
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "https://s3.amazonaws.com",
    ),
    "gs": (("GOOGLE_BASE_URL",), "https://storage.googleapis.com"),
}
"""Variables that may name the endpoint, in this order, and the endpoint without them."""
_OF_THE_SOURCE = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidBucketName": "not the name of a bucket",
    "InvalidAccessKeyId": "the access key is not known; see AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is not the right one; see AWS_SECRET_ACCESS_KEY",
    "InvalidToken": "the session token is not valid; see AWS_SESSION_TOKEN",
    "ExpiredToken": "the session token has expired; see AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
}
"""Error codes of S3 that concern the whole bucket."""
_LOGIN = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true",
}
_FOR_CREDENTIALS = re.compile(r"//[^/\s]+/(latest/(api/token|meta-data/)|computeMetadata/)")
"""Addresses that obstore asks for credentials if the environment holds none."""
_WITHOUT_END = timedelta(days=365)


@dataclass
class _Bucket:
    scheme: str
    store: S3Store | GCSStore
    host: str
    port: int
    answered: bool = False
    """Whether it answered at least once: then there are credentials."""


class Objects:
    """A transport (`dafre_fast.sources.interface`) over obstore."""

    def __init__(self, settings: Fetching, hosts: Hosts) -> None:
        self._settings, self._hosts = settings, hosts
        self._buckets: dict[str, _Bucket] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._buckets.clear()

    def host(self, address: str) -> str | None:
        """Return the name of the endpoint of an address, None if it is no address of an object."""
        try:
            bucket, _ = self._find(address)
        except Refusal:
            return None
        return host_name(bucket.host, bucket.port)

    def is_free(self, host: str) -> bool:
        """Return whether a host can be asked at once."""
        return self._hosts.is_free(host)

    @asynccontextmanager
    async def open(
        self, address: str, effort: Effort, span: Span | None = None, etag: str | None = None
    ) -> AsyncIterator["ObjectBody"]:
        """Ask for an object (`dafre_fast.sources.interface.Transport.open`)."""
        bucket, key = self._find(address)
        name = await self._hosts.find(bucket.host, bucket.port)
        async with self._hosts.turn(name, effort) as turn:
            try:
                found = await self._ask(bucket, key, span, etag)
            except _ERRORS as error:
                raise _noted(_refusal(address, bucket, error), turn) from error
            turn.succeeded()
            bucket.answered = True
            body = ObjectBody(address, bucket, found, self._settings)
            try:
                yield body
            finally:
                body.close()

    async def _ask(
        self, bucket: _Bucket, key: str, span: Span | None, etag: str | None
    ) -> "GetResult":
        if span is None:
            return await self._get(bucket, key, {})
        start, stop = span
        options: GetOptions = {"range": {"offset": start} if stop is None else (start, stop)}
        if etag is None:
            return await self._get(bucket, key, options)
        try:
            return await self._get(bucket, key, {**options, "if_match": etag})
        except PreconditionError:
            return await self._get(bucket, key, {})  # another object by now

    async def _get(self, bucket: _Bucket, key: str, options: "GetOptions") -> "GetResult":
        async with asyncio.timeout(self._settings.stall_timeout):
            return await obstore.get_async(bucket.store, key, options=options)

    def _find(self, address: str) -> tuple[_Bucket, str]:
        scheme, _, rest = address.partition("://")
        name, _, key = rest.partition("/")
        if scheme not in _ENDPOINTS or not name or not key:
            raise Refusal(Reason.HTTP_ERROR, f"{address}: not an address of an object")
        known = self._buckets.get(f"{scheme}://{name}")
        if known is None:
            known = self._buckets[f"{scheme}://{name}"] = self._new(scheme, name)
        return known, key

    def _new(self, scheme: str, name: str) -> _Bucket:
        variables, usual = _ENDPOINTS[scheme]
        endpoint = next(filter(None, map(os.environ.get, variables)), usual)
        options: ClientConfig = {
            "allow_http": endpoint.startswith("http://"),  # as the user wrote
            "allow_invalid_certificates": self._settings.insecure,
            # Less than for an answer, so that the error says what could not be reached.
            "connect_timeout": timedelta(seconds=min(5, self._settings.stall_timeout / 2)),
            "timeout": _WITHOUT_END,  # an effort limits the time of all attempts together
            "user_agent": user_agent(self._settings.contact),
        }
        if path := certificates.bundle():
            options["root_certificate"] = certificates.pem(path)
        kind = S3Store if scheme == "s3" else GCSStore
        try:
            url = urlsplit(endpoint)
            port = url.port or (80 if url.scheme == "http" else 443)
            if url.scheme not in {"http", "https"} or not url.hostname:
                raise ValueError(f"the endpoint {endpoint!r} is not a URL of HTTP")
            if way := Proxies().way(url_of(endpoint)):
                # The library reads the environment, too, but not all forms of no_proxy.
                options["proxy_url"], options["proxy_excludes"] = way
            store = kind(name, client_options=options, retry_config={"max_retries": 0})
        except (BaseError, ValueError) as error:
            raise UsageError(f"{scheme}://{name}: {_first_line(error)}") from error
        return _Bucket(scheme, store, url.hostname, port)


class ObjectBody:
    """An object on its way (`dafre_fast.sources.interface.Body`). Obstore hides the HTTP status."""

    status = None

    def __init__(
        self, address: str, bucket: _Bucket, found: "GetResult", settings: Fetching
    ) -> None:
        self._bucket, self._settings = bucket, settings
        # With a larger minimum it would wait until so many bytes are there.
        self._stream = found.stream(min_chunk_size=1)
        meta = found.meta
        self.url, self.start, self.total = address, found.range[0], meta["size"]
        self.etag = meta["e_tag"]
        self.strong = self.etag is not None and self.etag.startswith('"')
        changed = meta["last_modified"]
        # obstore returns the epoch if the server sends no date.
        self.last_modified = format_datetime(changed, usegmt=True) if changed.timestamp() else None

    def close(self) -> None:
        """Close the connection, even if a traceback still holds the body."""
        del self._stream

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes. Raises Passing TOO_SLOW as `StallGuard` does."""
        stall = StallGuard(self._settings)
        while True:
            try:
                chunk = await stall.receive(anext(self._stream, b""))
            except Passing as slow:
                slow.detail = f"{self.url}: {slow.detail}"
                raise
            except _ERRORS as error:
                raise _refusal(self.url, self._bucket, error) from error
            if not chunk:
                return
            yield chunk


_REDIRECTED = http_answers.Refused(Refusal, Reason.HTTP_ERROR)
"""Obstore follows no redirect."""
_ERRORS = (BaseError, FileNotFoundError, ValueError, TimeoutError)
"""All that obstore raises, and the timeout of an answer."""


def _noted(refusal: Refusal | SourceError, turn: Turn) -> Refusal | SourceError:
    """Return a refusal; note whether the host failed."""
    if isinstance(refusal, Refusal) and _is_of_the_host(refusal):
        if refusal.reason is Reason.SERVER_ERROR:
            turn.answered()
        turn.failed(refusal)
    else:
        turn.succeeded()
    return refusal


def _is_of_the_host(refusal: Refusal) -> bool:
    return isinstance(refusal, HostFailed) or refusal.reason is Reason.BAD_CERTIFICATE


def _refusal(address: str, bucket: _Bucket, error: Exception) -> Refusal | SourceError:
    """Return the refusal that an error of the library means."""
    if isinstance(error, TimeoutError):
        return HostFailed(Reason.TOO_SLOW, f"{address}: no answer")
    text, line = str(error), _first_line(error)
    if isinstance(error, ValueError):
        return Refusal(Reason.HTTP_ERROR, f"{address}: {line}")
    if _FOR_CREDENTIALS.search(line) and not bucket.answered:
        return SourceError(f"{address}: no credentials; {_LOGIN[bucket.scheme]}")
    if "incorrectly configured region" in line:
        return SourceError(f"{address}: the bucket is in another region; see AWS_REGION")
    code = re.search(r"<Code>(\w+)</Code>", text)
    if code and code[1] in _OF_THE_SOURCE:
        return SourceError(f"{address}: {_OF_THE_SOURCE[code[1]]} ({code[1]})")
    if status := re.search(r"status code: (\d{3})", line):
        refused = http_answers.refused(int(status[1])) or _REDIRECTED
        login = _LOGIN[bucket.scheme]
        said = http_answers.detail(int(status[1]), {}, login) + (f", {code[1]}" if code else "")
        return refused.kind(refused.reason, f"{address}: {said}")
    if certificate := re.search(r"InvalidCertificate\(\s*(\w+)", text):
        detail = f"{address}: its certificate is not valid ({certificate[1]})"
        return Refusal(Reason.BAD_CERTIFICATE, detail)
    detail = f"{address}: {_cause(text)}"
    return HostFailed(Reason.DNS_ERROR if "dns error" in text else Reason.NETWORK_ERROR, detail)


def _first_line(error: Exception) -> str:
    """Return the first line of an error. A dump of the library's structures follows it."""
    return re.sub(r"^Generic \w+ error: ", "", str(error).partition("\n")[0])


def _cause(text: str) -> str:
    """Return the last part of the first line, and the system's message from the dump."""
    last = text.partition("\n")[0].rpartition(" - ")[2].rpartition("error: ")[2]
    system = re.search(r'\b(?:message|error): "([^"]+)"', text)
    return f"{last} ({system[1]})" if system else last
