"""Originals in archives: which archives, and what is sought in each.

Several archives are open at once; the index of one is read, what is sought is read
(`dafre_fast.sources.archives.visit`), and the index forgotten.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol, Self

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.archives import visit
from dafre_fast.sources.archives.desk import Archive, Desk, Group
from dafre_fast.sources.interface import Check, Planned, Take, Transport

Tiers = tuple[tuple[Archive, ...], ...]
"""Where an original may lie: in any archive of the first tier, else of the next."""


class Layout(Protocol):
    """Which archives there are."""

    async def prepare(self, desk: Desk) -> None:
        """Find out what has to be asked for. Raises Refusal."""
        ...

    def tiers(self, image_id: int) -> Tiers:
        """Where the original of an id may lie."""
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
        """Group by group of those that may lie in the same archives, several at once; in a group
        tier by tier, as long as something is left. Gives what is left in the end, and why.
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
        except Refusal as refusal:  # of the layout: nothing was found yet
            return [(one, refusal) for one in sought]
        return [(one, group.trouble) for group in groups.values() for one in group.left.values()]


def _first(errors: ExceptionGroup) -> Exception:
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _nowhere(one: Sought, trouble: Refusal | None) -> Fetched:
    """An archive that could not be read may have held it. Otherwise it is `missing_original`, which
    the next run looks for again: these sets grow.
    """
    if trouble:
        return Fetched(key=one.key, reason=trouble.reason, detail=trouble.detail)
    detail = f"{one.key}.* is in none of the archives"
    return Fetched(key=one.key, reason=Reason.MISSING_ORIGINAL, detail=detail)
