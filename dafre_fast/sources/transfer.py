"""One object, whole, from a transport to its place: gone on with where it broke off, or anew."""

from pathlib import Path

from dafre_fast.model.errors import Refusal
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Fetched
from dafre_fast.model.settings import Fetching
from dafre_fast.sources import flight
from dafre_fast.sources.arrival import Arrival, Check, Expected
from dafre_fast.sources.effort import Effort, Passing
from dafre_fast.sources.source import Body, Span, Transport


class Transfer:
    """Of one object. What came of a broken attempt is gone on with only under a strong ETag."""

    def __init__(
        self,
        key: str,
        address: str,
        path: Path,
        expected: Expected,
        settings: Fetching,
        check: Check,
    ) -> None:
        self._key, self._address, self._path = key, address, path
        self._most = settings.max_bytes
        self._arrival = Arrival(path, expected, settings, check)
        self._etag: str | None = None

    async def run(self, transport: Transport, effort: Effort) -> Fetched:
        """Bring it; raises Refusal."""
        try:
            return await effort.persist(self._address, lambda: self._attempt(transport, effort))
        finally:
            self._arrival.discard()

    async def _attempt(self, transport: Transport, effort: Effort) -> Fetched:
        arrival, etag = self._arrival, self._etag
        span = Span(arrival.size) if etag and arrival.size else None
        self._etag = None  # an answer that is not what was asked for ends it
        async with transport.open(self._address, effort, span, etag if span else None) as body:
            if body.start != arrival.size:
                arrival.start_over()
            if (body.total or 0) > self._most:
                raise Refusal(Reason.TOO_MANY_BYTES, f"{self._address}: {body.total:,}")
            await self._receive(body)
        try:
            arrived = arrival.finish()
        except Refusal as refusal:
            raise _about(self._address, refusal) from refusal
        return Fetched(
            key=self._key,
            path=str(self._path),
            url=self._address,
            final_url=None if body.url == self._address else body.url,
            http_status=body.status,
            attempts=effort.attempts,
            bytes=arrived.bytes,
            sha256=arrived.sha256,
            proof=arrived.proof,
            etag=body.etag,
            last_modified=body.last_modified,
        )

    async def _receive(self, body: Body) -> None:
        arrival = self._arrival
        try:
            async for chunk in body.chunks():
                arrival.write(chunk)
                flight.received(len(chunk))
        except Refusal as refusal:
            raise _about(self._address, refusal) from refusal
        finally:
            self._etag = body.etag if body.strong else None
        if body.total is not None and arrival.size != body.total:
            detail = f"{self._address}: {arrival.size:,} bytes of {body.total:,}"
            raise Passing(Reason.NETWORK_ERROR, detail)


def _about(address: str, refusal: Refusal) -> Refusal:
    """The same, with the address before its detail."""
    if address in refusal.detail:
        return refusal
    detail = f"{address}: {refusal.detail}" if refusal.detail else address
    if isinstance(refusal, Passing):
        return Passing(refusal.reason, detail, refusal.body)
    return Refusal(refusal.reason, detail)
