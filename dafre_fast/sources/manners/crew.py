"""Download many originals at once, from a source that fetches them one by one.

The number of downloads at once follows from `dafre_fast.sources.manners.slots`. Before it starts a
download, the crew asks whether its host is free: if too many downloads wait already, those from
busy hosts are left for the end of the list.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from dafre_fast.core import events
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Take
from dafre_fast.sources.manners.slots import Slot, Slots

_MOST_LEFT_FOR_THE_END = 50_000
"""About 15 MB of `Sought`."""
_LOOK_SECONDS = 0.05


class Downloads(Protocol):
    """A source, as the crew sees it."""

    def first_host(self, sought: Sought) -> str | None:
        """Return the name of the host that is asked first for an original, None for no host."""
        ...

    def is_free(self, host: str) -> bool:
        """Return whether a host can be asked at once."""
        ...

    async def fetch_one(self, sought: Sought, slot: Slot) -> Fetched:
        """Download one original; give the slot away while it waits."""
        ...


async def concurrently(
    downloads: Downloads,
    sought: Iterable[Sought],
    take: Take,
    settings: Fetching,
    tell: events.Tell,
) -> None:
    """Download each original and give it to `take`. What one download raises ends them all."""
    try:
        await _Crew(downloads, sought, take, settings, tell).work()
    except ExceptionGroup as errors:
        raise _first(errors) from None


def _first(errors: ExceptionGroup) -> Exception:
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


class _Queue:
    """Originals that are left: those not looked at yet, then those left for the end."""

    def __init__(self, sought: Iterable[Sought], downloads: Downloads, slots: Slots) -> None:
        self._left, self._for_the_end = iter(sought), deque[Sought]()
        self._downloads, self._slots = downloads, slots

    def next(self) -> Sought | None:
        """Return the next original to download, None if none is left."""
        for one in self._left:
            if len(self._for_the_end) >= _MOST_LEFT_FOR_THE_END or self._should_start(one):
                return one
            self._for_the_end.append(one)
        return self._for_the_end.popleft() if self._for_the_end else None

    def _should_start(self, one: Sought) -> bool:
        host = self._downloads.first_host(one)
        return host is None or self._slots.should_start(host, free=self._downloads.is_free(host))


class _Crew:
    """One task for each slot; each downloads one original after another."""

    def __init__(
        self,
        downloads: Downloads,
        sought: Iterable[Sought],
        take: Take,
        settings: Fetching,
        tell: events.Tell,
    ) -> None:
        self._downloads, self._take, self._tell = downloads, take, tell
        self._slots = Slots(settings, time.monotonic(), self._slots_changed)
        self._queue = _Queue(sought, downloads, self._slots)
        self._tasks = asyncio.TaskGroup()
        self._over = False

    async def work(self) -> None:
        """Download everything in the queue."""
        self._tell(events.Pace(self._slots.count, "start"))
        async with asyncio.TaskGroup() as watch:
            watching = watch.create_task(self._watch())
            async with self._tasks:
                self._fill()
            watching.cancel()

    def _fill(self) -> None:
        while not self._over and self._slots.is_one_free:
            self._tasks.create_task(self._work(self._slots.open()))

    def _slots_changed(self, why: str | None) -> None:
        if why:
            self._tell(events.Pace(self._slots.count, why))
        self._fill()

    async def _work(self, slot: Slot) -> None:
        try:
            while one := self._queue.next():
                slot.begin(time.monotonic())
                fetched = await self._downloads.fetch_one(one, slot)
                self._slots.finish(slot, time.monotonic())
                await self._take(one, fetched)
                if not self._slots.resume():
                    break
            else:
                self._over = True
        except BaseException:
            self._over = True  # no further task, while the others are cancelled
            raise
        self._slots.close(slot)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._slots.look(time.monotonic())
