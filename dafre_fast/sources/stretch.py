"""Stretch: bytes of an object in order, out of one answer of its server or several.

A server may send a part of the range that was asked for (RFC 9110, 15.3.7); the rest is asked for
then. That is no failure, and costs no retry.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from http import HTTPStatus
from types import TracebackType
from typing import Self

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.interface import Body, Span, Transport
from dafre_fast.sources.manners.effort import Effort, Passing


class Stretch:
    """A span of an object on its way (`dafre_fast.sources.interface.Body`), all of it without one;
    a context that opens it as `Transport.open` does.
    """

    def __init__(
        self,
        transport: Transport,
        address: str,
        effort: Effort,
        span: Span | None = None,
        etag: str | None = None,
    ) -> None:
        self._transport, self._address, self._effort = transport, address, effort
        self._span, self._if_etag = span, etag
        self._answer: AbstractAsyncContextManager[Body] | None = None

    async def __aenter__(self) -> Self:
        span = self._span
        self._first = first = await self._open(span, self._if_etag)
        self.url, self.status = first.url, first.status
        self.start, self.total = first.start, first.total
        self.etag, self.strong, self.last_modified = first.etag, first.strong, first.last_modified
        self.following: str | None = getattr(first, "following", None)
        self._ranged = span is not None and first.start == span.start
        self._stop = span.stop if span else None
        if self.total is not None:
            self._stop = min(self._stop or self.total, self.total)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        answer, self._answer = self._answer, None
        if answer:
            await answer.__aexit__(kind, error, traceback)

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes. Raises Passing if they break off, come too slowly, or if the object
        changes meanwhile.
        """
        return self._of_all_answers() if self._ranged else self._first.chunks()

    async def _of_all_answers(self) -> AsyncGenerator[bytes]:
        body: Body | None = self._first
        at = self.start
        while body is not None:
            began = at
            async with aclosing(body.chunks()) as chunks:
                async for chunk in chunks:
                    at += len(chunk)
                    yield chunk
            is_over = self._stop is not None and at >= self._stop
            body = await self._next(at) if at > began and not is_over else None

    async def _open(self, span: Span | None, etag: str | None) -> Body:
        answer = self._transport.open(self._address, self._effort, span, etag)
        body = await answer.__aenter__()
        self._answer = answer
        return body

    async def _next(self, at: int) -> Body | None:
        """Ask for the rest, from byte `at`; None if the object ends there."""
        await self.__aexit__(None, None, None)  # the connection is free for the next request
        try:
            body = await self._open(Span(at, self._stop), self.etag if self.strong else None)
        except Refusal:
            if self._stop is None and is_beyond(self._effort):
                return None
            raise
        if body.start != at or body.total not in (None, self.total or body.total):
            detail = f"{self._address}: is another file at byte {at:,}, or sent from its beginning"
            raise Passing(Reason.NETWORK_ERROR, detail)
        return body


def is_beyond(effort: Effort) -> bool:
    """Return whether the last answer was that the range begins behind the end of the object."""
    status = effort.answer.status if effort.answer else None
    return status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
