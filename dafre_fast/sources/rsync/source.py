"""Originals from an rsync daemon: `rsync://host/module/original`, or a template of addresses there.

A portion of them at a time is listed, planned (`portion`), and fetched into a folder beside the
originals, from which each is checked and placed as it arrives (`delivery`). rsync compares a hash
of every file with the daemon's: a file that is wrong here is wrong there, and is not fetched again.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Self

from dafre_fast.core.atomic import own_temporary
from dafre_fast.core.errors import Refusal, SourceError
from dafre_fast.core.events import Tell
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Check, Planned, Take
from dafre_fast.sources.manners.effort import Effort
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.rsync.client import RsyncClient
from dafre_fast.sources.rsync.delivery import Delivery, Staging, refused_untimed
from dafre_fast.sources.rsync.names import Names
from dafre_fast.sources.rsync.portion import find, plan_portion

PORTION = 1000
"""Originals asked for by one rsync; as many may be on the disk unchecked."""


class Rsync:
    """Fetches originals into `folder/{bucket}/{id}.{ext}`, one rsync at a time.

    Where several files could be the original, the first of the settings' extensions counts. Raises
    UsageError as `Names` and `RsyncClient` do.
    """

    def __init__(
        self,
        source: str,
        folder: Path,
        settings: Fetching,
        check: Check,
        tell: Tell,
    ) -> None:
        self._names = Names(source, folder, settings.extensions)
        self._staging = Staging(own_temporary(folder / "rsync"))
        self._max_bytes = settings.max_bytes
        hosts = Hosts(settings, tell)
        self._client = RsyncClient(self._names.module, self._staging.path, settings, hosts)
        self._delivery = Delivery(self._client, self._staging, settings, check, tell)

    async def __aenter__(self) -> Self:
        self._staging.remove()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._staging.remove()

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        for portion in _portions(sought):
            for _ in portion:
                self._delivery.budget.one_more_image()
            await self._fetch(portion, take)

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        for portion in _portions(sought):
            try:
                sizes = await self._list(portion, self._delivery.effort())
            except Refusal as refusal:
                raise SourceError(str(refusal)) from refusal
            for one in portion:
                found = find(one, sizes, self._names)
                take(one, Planned(found[1].address, sizes[found[0]]) if found else None)

    async def _fetch(self, sought: list[Sought], take: Take) -> None:
        """Fetch a portion of originals, and give the outcome of each to `take`."""
        effort = self._delivery.effort()
        try:
            sizes = await self._list(sought, effort)
        except Refusal as refusal:
            for one in sought:
                await take(one, refused_untimed(one, None, refusal, effort))
            return
        portion = plan_portion(sought, sizes, self._names, self._max_bytes)
        # Those that are there first: a portion without a single one says that something is wrong.
        await self._delivery.run(self._names.module, portion.wanted, take)
        for one, address, why in portion.refused:
            await take(one, refused_untimed(one, address, why, effort))
        if portion.again:
            await self._fetch(portion.again, take)

    async def _list(self, sought: list[Sought], effort: Effort) -> dict[str, int]:
        """Return the bytes of each file that may be one of these originals, by name."""
        names = [name for one in sought for name, _ in self._names.of(one)]
        if not names:
            return {}
        return await effort.persist(self._names.module, lambda: self._client.sizes(names))


def _portions(sought: Iterable[Sought]) -> Iterator[list[Sought]]:
    left = iter(sought)
    while portion := [*islice(left, PORTION)]:
        yield portion
