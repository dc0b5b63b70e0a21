"""Transfer one whole object from a transport to its file. An interrupted transfer is resumed if
that is safe, else it starts over.
"""

from collections.abc import Callable
from contextlib import aclosing

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.arrival import Arrival, Expected
from dafre_fast.sources.interface import Body, Check, Span, Transport
from dafre_fast.sources.manners.effort import Effort, Passing
from dafre_fast.sources.outcome import fetched
from dafre_fast.sources.stretch import Stretch


class Transfer:
    """The transfer of one object.

    It is resumed only if the server sent a strong ETag and the part belongs to the same file.
    """

    def __init__(
        self,
        key: str,
        address: str,
        path: str,
        expected: Expected,
        settings: Fetching,
        check: Check,
    ) -> None:
        self._key, self._address = key, address
        self._expected, self._most = expected, settings.max_bytes
        self._arrival = Arrival(path, expected, settings, check)
        self._etag: str | None = None

    async def run(
        self,
        transport: Transport,
        effort: Effort,
        gives_way: Callable[[Passing], bool] = lambda _: False,
    ) -> Fetched:
        """Return the outcome of the file. Raises Refusal; `gives_way` as in `Effort.persist`."""
        self._refuse_too_many(self._expected.bytes)
        try:
            return await effort.persist(
                self._address, lambda: self._attempt(transport, effort), gives_way
            )
        except BaseException:
            self._arrival.discard()
            raise

    async def _attempt(self, transport: Transport, effort: Effort) -> Fetched:
        try:
            body = await self._receive(transport, effort)
            await self._arrival.hash_aside()
            arrived = self._arrival.finish(sized=body.total is not None)
        except Refusal as refusal:
            if public(self._address) not in refusal.detail:
                refusal.detail = f"{self._address}: {refusal.detail}".removesuffix(": ")
            raise
        attempts, seconds = effort.attempts, effort.seconds
        return fetched(
            self._key,
            self._address,
            self._arrival.path,
            arrived,
            attempts=attempts,
            seconds=seconds,
            body=body,
        )

    async def _receive(self, transport: Transport, effort: Effort) -> Body:
        arrival, etag = self._arrival, self._etag
        span = Span(arrival.size) if etag and arrival.size else None
        self._etag = None  # resume once: after a wrong answer it starts over
        known = etag if span else None
        async with Stretch(transport, self._address, effort, span, known) as body:
            if body.start != arrival.size:
                arrival.start_over()
            self._check_total(body)
            self._etag = body.etag if body.strong else None
            async with aclosing(body.chunks()) as chunks:
                async for chunk in chunks:
                    arrival.write(chunk)
                    effort.slot.received(len(chunk))
        if body.total is not None and arrival.size != body.total:
            detail = f"{arrival.size:,} bytes of {body.total:,}"
            raise Passing(Reason.NETWORK_ERROR, detail)
        return body

    def _check_total(self, body: Body) -> None:
        """Raise, before a byte is read, if the size is not as it must be."""
        self._refuse_too_many(body.total)
        known = self._expected.bytes
        if known is not None and body.total not in (None, known):
            detail = f"{body.total:,} bytes, known are {known:,}"
            raise Passing(Reason.WRONG_SIZE, detail, b"%d" % body.total)

    def _refuse_too_many(self, total: int | None) -> None:
        if (total or 0) > self._most:
            raise Refusal(Reason.TOO_MANY_BYTES, f"{total:,}")
