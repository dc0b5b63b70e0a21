"""One object per image, at an address by a template: `https://host/original/{bucket}/{id}.{ext}`."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addresses import Addresses, nowhere
from dafre_fast.sources.arrival import Expected
from dafre_fast.sources.interface import Check, Planned, Take, Transport
from dafre_fast.sources.manners.crew import concurrently
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.manners.slots import Slot
from dafre_fast.sources.outcome import refused
from dafre_fast.sources.transfer import Transfer


class Template:
    """Fetches originals by address into `folder/{bucket}/{id}.{ext}`.

    If the extension is not known, those of the settings are tried in order; the file gets the one
    that was there. Raises UsageError as `Addresses` does.
    """

    def __init__(
        self,
        template: str,
        transport: Transport,
        folder: Path,
        settings: Fetching,
        check: Check,
        tell: Tell,
    ) -> None:
        self._addresses = Addresses(template, folder, settings.extensions)
        self._transport = transport
        self._settings, self._check, self._tell = settings, check, tell
        self._budget = Budget(settings.retry_budget)
        self._only_host: str | None = None

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._transport.__aexit__(*error)

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        await concurrently(self, sought, take, self._settings, self._tell)

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        for one in sought:
            addresses = [address for address, _ in self._addresses.of(one)]
            take(one, Planned(addresses[0], one.bytes) if addresses else None)

    def first_host(self, sought: Sought) -> str | None:
        """Return the name of the host that is asked first (`crew.Downloads`)."""
        if self._only_host:
            return self._only_host
        place = next(self._addresses.of(sought), None)
        host = place and self._transport.host(place.address)
        if self._addresses.have_one_host:
            self._only_host = host
        return host

    def is_free(self, host: str) -> bool:
        """Return whether a host can be asked at once (`crew.Downloads`)."""
        return self._transport.is_free(host)

    async def fetch_one(self, sought: Sought, slot: Slot) -> Fetched:
        """Download one original (`crew.Downloads`)."""
        effort = Effort(self._settings, self._budget, self._tell, slot)
        address = None
        try:
            async with effort:
                for address, path in self._addresses.of(sought):
                    if fetched := await self._try(sought, address, path, effort):
                        return fetched
            raise nowhere(sought, address)
        except Refusal as refusal:
            return refused(sought, refusal, effort, address)

    async def _try(
        self, sought: Sought, address: str, path: Path, effort: Effort
    ) -> Fetched | None:
        """Return None if there is no such file."""
        expected = Expected(sought.bytes, sought.md5)
        transfer = Transfer(sought.key, address, path, expected, self._settings, self._check)
        try:
            return await transfer.run(self._transport, effort)
        except Refusal as refusal:
            if refusal.reason is Reason.NOT_FOUND:
                return None
            raise
