"""Files of this machine as objects, for sources that otherwise read over a network."""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Effort

_CHUNK_BYTES = 1 << 18


class Local:
    """A transport (`dafre_fast.sources.interface`) whose addresses are paths."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    def host(self, address: str) -> str | None:  # noqa: ARG002
        """Return None: no host is asked."""
        return None

    def is_free(self, host: str) -> bool:  # noqa: ARG002
        """Return True."""
        return True

    @asynccontextmanager
    async def open(
        self,
        address: str,
        effort: Effort,  # noqa: ARG002  (nothing is waited for)
        span: Span | None = None,
        etag: str | None = None,  # noqa: ARG002
    ) -> AsyncIterator["LocalBody"]:
        try:
            file = os.open(address, os.O_RDONLY)
        except FileNotFoundError as error:
            raise Refusal(Reason.NOT_FOUND, address) from error
        except OSError as error:
            detail = f"{address}: {error.strerror}"
            raise Refusal(Reason.UNREADABLE_ORIGINAL, detail) from error
        try:
            yield LocalBody(address, file, span or Span(0))
        finally:
            os.close(file)


class LocalBody:
    """A file, or a span of it (`dafre_fast.sources.interface.Body`)."""

    status = None
    etag = None
    strong = False
    last_modified = None

    def __init__(self, path: str, file: int, span: Span) -> None:
        self.url, self._file = path, file
        self.total: int | None = os.fstat(file).st_size
        self.start, self._stop = span.start, self.total if span.stop is None else span.stop

    async def chunks(self) -> AsyncGenerator[bytes]:
        at, stop = self.start, self._stop or 0
        while at < stop:
            try:
                chunk = os.pread(self._file, min(_CHUNK_BYTES, stop - at), at)
            except OSError as error:
                detail = f"{self.url}: {error.strerror}"
                raise Refusal(Reason.UNREADABLE_ORIGINAL, detail) from error
            if not chunk:
                return
            yield chunk
            at += len(chunk)
