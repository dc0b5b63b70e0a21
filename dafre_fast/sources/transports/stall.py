"""Stall: a body that comes too slowly, whatever the transport."""

import asyncio
from collections.abc import Awaitable

from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import Passing


class StallGuard:
    """Limits how slowly the bytes of one body may come: at least `--min-rate` bytes per second, in
    each `--stall-timeout` seconds spent waiting for them.
    """

    def __init__(self, settings: Fetching) -> None:
        self._seconds = settings.stall_timeout
        self._quota = settings.min_rate * settings.stall_timeout
        self._waited, self._got = 0.0, 0

    async def receive(self, chunk: Awaitable[bytes]) -> bytes:
        """Return the next bytes. Raises Passing TOO_SLOW."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._seconds - self._waited):
                data = await chunk
        except TimeoutError as error:
            detail = f"{self._got:,} bytes in {self._seconds:g} s"
            raise Passing(Reason.TOO_SLOW, detail) from error
        self._waited += clock() - began
        self.count(data)
        return data

    def count(self, data: bytes) -> None:
        """Count bytes that came while nothing waited for them."""
        self._got += len(data)
        if self._got >= self._quota:
            self._waited, self._got = 0.0, 0
