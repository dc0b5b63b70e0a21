"""One object per image, at an address by a template: `https://host/original/{bucket}/{id}.{ext}`."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addresses import Addresses, Place, nowhere
from dafre_fast.sources.arrival import Expected
from dafre_fast.sources.interface import Check, Planned, Take, Transport
from dafre_fast.sources.manners.crew import concurrently
from dafre_fast.sources.manners.effort import Answer, Budget, Effort, HostFailed, Passing
from dafre_fast.sources.manners.slots import Slot
from dafre_fast.sources.outcome import refused
from dafre_fast.sources.transfer import Transfer


class Places(Protocol):
    """The addresses of originals, one for each image or several to be tried."""

    have_one_host: bool

    def of(self, sought: Sought) -> Iterator[Place]:
        """Yield the places of an original in the order in which to try them."""
        ...


class Template:
    """Fetches originals by address into `folder/{bucket}/{id}.{ext}`: those of a template, or
    `addresses`.

    If the extension is not known, those of the settings are tried in order; the file gets the one
    that was there. Not every server says 404 for what is not there: after any answer that may mean
    so (`Reason.may_mean_missing`) the next one is tried. Raises UsageError as `Addresses` does.
    """

    def __init__(
        self,
        template: str,
        transport: Transport,
        folder: Path,
        settings: Fetching,
        check: Check,
        tell: Tell,
        addresses: Places | None = None,
    ) -> None:
        self._addresses = addresses or Addresses(template, folder, settings.extensions)
        self._transport = transport
        self._settings, self._check, self._tell = settings, check, tell
        self._budget = Budget.of(settings)
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
        search = _Search([*self._addresses.of(sought)], sought, effort, self._try)
        try:
            async with effort:
                return await search.run()
        except Refusal as refusal:
            return refused(sought, refusal, effort, search.address)

    async def _try(
        self, sought: Sought, place: Place, effort: Effort, gives_way: Callable[[Passing], bool]
    ) -> Fetched:
        """Transfer the object at a place. Raises Refusal."""
        expected = Expected(sought.bytes, sought.md5)
        transfer = Transfer(
            sought.key, place.address, place.path, expected, self._settings, self._check
        )
        return await transfer.run(self._transport, effort, gives_way)


class _Telling(NamedTuple):
    """An answer that tells more than that nothing is there."""

    place: Place
    refusal: Refusal
    answer: Answer | None
    passing: bool
    """True if another attempt may succeed."""


class _Search:
    """The search for one original at the places where it may be, in their order."""

    def __init__(
        self,
        places: Sequence[Place],
        sought: Sought,
        effort: Effort,
        attempt: Callable[[Sought, Place, Effort, Callable[[Passing], bool]], Awaitable[Fetched]],
    ) -> None:
        self._places, self._sought, self._effort, self._attempt = places, sought, effort, attempt
        self._telling: _Telling | None = None
        self.address: str | None = None
        """The address that the outcome is about; None as long as there is none."""

    async def run(self) -> Fetched:
        """Return the first original that is there. Raises the most telling refusal."""
        gives_way = _may_mean_missing if len(self._places) > 1 else _never
        for place in self._places:
            try:
                return await self._try(place, gives_way)
            except Refusal as refusal:
                if not _may_mean_missing(refusal):
                    raise
                self._note(place, refusal)
        return await self._try_again()

    async def _try(self, place: Place, gives_way: Callable[[Passing], bool]) -> Fetched:
        self.address = place.address
        return await self._attempt(self._sought, place, self._effort, gives_way)

    def _note(self, place: Place, refusal: Refusal) -> None:
        if self._telling or refusal.reason is Reason.NOT_FOUND:
            return
        passing = isinstance(refusal, Passing)
        # A copy: with its traceback it would keep this object alive in a cycle.
        why = Refusal(refusal.reason, refusal.detail)
        self._telling = _Telling(place, why, self._effort.answer, passing)

    async def _try_again(self) -> Fetched:
        """Give the place that told most another chance, if that may help, and else raise why."""
        telling = self._telling
        if telling is None:
            raise nowhere(self._sought, self.address)
        if telling.passing and len(self._places) > 1:
            return await self._try(telling.place, _never)
        self.address, self._effort.answer = telling.place.address, telling.answer
        raise telling.refusal


def _may_mean_missing(refusal: Refusal) -> bool:
    return refusal.reason.may_mean_missing and not isinstance(refusal, HostFailed)


def _never(_: Refusal) -> bool:
    return False
