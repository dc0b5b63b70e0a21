"""Originals in archives: choose the archives to look in, and visit each.

Several archives are visited at once. A visit (`dafre_fast.sources.archives.visit`) reads the index
of an archive, then the originals that are sought; the index is not kept in memory.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol, Self

from dafre_fast.core.errors import Refusal, SourceError
from dafre_fast.core.events import Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.archives import visit
from dafre_fast.sources.archives.desk import Archive, Desk, Group
from dafre_fast.sources.interface import Check, Planned, Take, Transport

Tiers = tuple[tuple[Archive, ...], ...]
"""Archives to search for an original: all of the first tier, then those of the next."""


class Layout(Protocol):
    """The archives of a source, and the originals that each may hold."""

    async def prepare(self, desk: Desk) -> None:
        """Ask the server for the list of archives, where the layout needs one. Raises Refusal."""
        ...

    def tiers(self, image_id: int) -> Tiers:
        """Return the archives to search for the original of an id."""
        ...


class Archives:
    """Fetches originals out of archives into `folder/{bucket}/{id}.{ext}`."""

    def __init__(
        self,
        layout: Layout,
        transport: Transport,
        folder: Path,
        settings: Fetching,
        check: Check,
        tell: Tell,
    ) -> None:
        self._layout, self._transport, self._settings = layout, transport, settings
        self._desk = Desk(transport, folder, settings, check, tell)

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._transport.__aexit__(*error)

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        async def fetch_from(archive: Archive, group: Group) -> None:
            await visit.fetch(self._desk, archive, group, take)

        for one, trouble in await self._visit_all(sought, fetch_from):
            await take(one, _nowhere(one, trouble))

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        async def plan_from(archive: Archive, group: Group) -> None:
            await visit.plan(self._desk, archive, group, take)

        for one, _ in await self._visit_all(sought, plan_from):
            take(one, None)

    async def _visit_all(
        self,
        sought: Iterable[Sought],
        visit_one: Callable[[Archive, Group], Coroutine[Any, Any, None]],
    ) -> list[tuple[Sought, Refusal | None]]:
        """Visit all archives that may hold what is sought; return what was not found, and why.

        Originals with the same tiers are a group. Groups are searched at the same time, the tiers
        of a group one after the other until nothing is left.
        """
        open_at_once = asyncio.Semaphore(self._settings.connections)

        async def limited(archive: Archive, group: Group) -> None:
            async with open_at_once:
                if group.left:
                    await visit_one(archive, group)

        async def in_turn(tiers: Tiers, group: Group) -> None:
            for tier in tiers:
                async with asyncio.TaskGroup() as visits:
                    for archive in tier:
                        visits.create_task(limited(archive, group))

        groups: dict[Tiers, Group] = {}
        try:
            await self._layout.prepare(self._desk)
            for one in sought:
                tiers = self._layout.tiers(int(one.key))
                groups.setdefault(tiers, Group()).left[one.key] = one
            async with asyncio.TaskGroup() as all_groups:
                for tiers, group in groups.items():
                    all_groups.create_task(in_turn(tiers, group))
        except ExceptionGroup as errors:
            raise _first(errors) from None
        except Refusal as refusal:  # from the layout: nothing can be asked for
            raise SourceError(f"the archives cannot be listed: {refusal}") from refusal
        return [(one, group.why_left()) for group in groups.values() for one in group.left.values()]


def _first(errors: ExceptionGroup) -> Exception:
    """Return the first exception of a group that may hold other groups."""
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _nowhere(one: Sought, trouble: Refusal | None) -> Fetched:
    """Return the outcome of an original that no archive was found to hold.

    If an archive could not be read, which may hold it, the reason is that of the archive. Otherwise
    it is `missing_original`, which the next run looks for again: such data sets grow.
    """
    if trouble:
        return Fetched(key=one.key, reason=trouble.reason, detail=trouble.detail)
    detail = f"{one.key}.* is in none of the archives"
    return Fetched(key=one.key, reason=Reason.MISSING_ORIGINAL, detail=detail)
