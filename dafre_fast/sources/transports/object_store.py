"""Originals out of object stores, `s3://` and `gs://` (`transports.object_clients`)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from email.utils import format_datetime
from typing import TYPE_CHECKING, Self

from dafre_fast.core.errors import Refusal, SourceError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Effort, HostFailed, Passing
from dafre_fast.sources.manners.hosts import Hosts, Turn, host_name
from dafre_fast.sources.transports.object_clients import (
    ENDPOINTS,
    ERRORS,
    Bucket,
    PreconditionError,
    connect,
    obstore,
    refusal,
)
from dafre_fast.sources.transports.stall import StallGuard

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult


class Objects:
    """A transport (`dafre_fast.sources.interface`) over obstore."""

    def __init__(self, settings: Fetching, hosts: Hosts) -> None:
        self._settings, self._hosts = settings, hosts
        self._buckets: dict[str, Bucket] = {}

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
            except ERRORS as error:
                raise _noted(refusal(address, bucket, error), turn) from error
            turn.succeeded()
            bucket.answered = True
            body = ObjectBody(address, bucket, found, self._settings)
            try:
                yield body
            finally:
                body.close()

    async def _ask(
        self, bucket: Bucket, key: str, span: Span | None, etag: str | None
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

    async def _get(self, bucket: Bucket, key: str, options: "GetOptions") -> "GetResult":
        async with asyncio.timeout(self._settings.stall_timeout):
            return await obstore.get_async(bucket.store, key, options=options)

    def _find(self, address: str) -> tuple[Bucket, str]:
        scheme, _, rest = address.partition("://")
        name, _, key = rest.partition("/")
        if scheme not in ENDPOINTS or not name or not key:
            raise Refusal(Reason.HTTP_ERROR, f"{address}: not an address of an object")
        known = self._buckets.get(f"{scheme}://{name}")
        if known is None:
            known = self._buckets[f"{scheme}://{name}"] = connect(scheme, name, self._settings)
        return known, key


class ObjectBody:
    """An object on its way (`dafre_fast.sources.interface.Body`). Obstore hides the HTTP status."""

    status = None

    def __init__(
        self, address: str, bucket: Bucket, found: "GetResult", settings: Fetching
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
            except ERRORS as error:
                raise refusal(self.url, self._bucket, error) from error
            if not chunk:
                return
            yield chunk


def _noted(found: Refusal | SourceError, turn: Turn) -> Refusal | SourceError:
    """Return a refusal; note whether the host failed."""
    if isinstance(found, Refusal) and _is_of_the_host(found):
        if found.reason is Reason.SERVER_ERROR:
            turn.answered()
        turn.failed(found)
    else:
        turn.succeeded()
    return found


def _is_of_the_host(found: Refusal) -> bool:
    return isinstance(found, HostFailed) or found.reason is Reason.BAD_CERTIFICATE
