"""Originals from an rsync daemon: `rsync://host/module/original`, or a template of addresses there.

A portion of them at a time is first listed, then brought into a folder beside the originals; from
there each is checked and placed as it arrives. rsync compares a hash of every file that it brings
with the daemon's, so that a file that is wrong then is wrong there, and is not asked for again.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, Self

from dafre_fast.core.atomic import temporary
from dafre_fast.core.errors import OutputError, Refusal, SourceError, UsageError
from dafre_fast.core.events import Event, Failed, Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addresses import Addresses, Place, nowhere
from dafre_fast.sources.arrival import Arrival, Expected
from dafre_fast.sources.interface import Check, Planned, Take
from dafre_fast.sources.manners.effort import Budget, Effort, Passing
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.rsync.client import RsyncClient

PORTION = 1000
"""As many originals are asked for in one go, and may lie unchecked on the disk."""
_LAYOUT = "{bucket}/{id}.{ext}"


class _Wanted(NamedTuple):
    sought: Sought
    place: Place


class Rsync:
    """Fetches originals into `folder/{bucket}/{id}.{ext}`, one rsync at a time.

    An address without fields is that of a folder with `{bucket}/{id}.{ext}` in it. Where several
    files could be the original, the first of the settings' extensions counts. Raises UsageError as
    `Addresses` and `RsyncClient` do.
    """

    def __init__(
        self,
        source: str,
        folder: Path,
        settings: Fetching,
        check: Check,
        tell: Tell,
    ) -> None:
        template = source if "{" in source else f"{source.rstrip('/')}/{_LAYOUT}"
        self._module, names = _split(template)
        if "{" in self._module or {"", ".", ".."} & {*names.split("/")}:
            raise UsageError(f"--source {source!r}: not rsync://host/module/… or a template of it")
        self._addresses = Addresses(template, folder, settings.extensions)
        self._staging = temporary(folder / "rsync")
        self._settings, self._check, self._tell = settings, check, tell
        self._budget = Budget(settings.retry_budget)
        hosts = Hosts(settings, tell)
        self._client = RsyncClient(self._module, self._staging, settings, hosts)

    async def __aenter__(self) -> Self:
        shutil.rmtree(self._staging, ignore_errors=True)  # what a killed run left
        return self

    async def __aexit__(self, *error: object) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        for portion in _portions(sought):
            for _ in portion:
                self._budget.one_more_image()
            await self._fetch(portion, take)

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        for portion in _portions(sought):
            try:
                sizes = await self._list(portion, self._effort())
            except Refusal as refusal:
                raise SourceError(str(refusal)) from refusal
            for one in portion:
                place = self._find(one, sizes)
                take(one, Planned(place.address, sizes[self._name(place)]) if place else None)

    async def _fetch(self, portion: list[Sought], take: Take) -> None:
        effort = self._effort()
        try:
            sizes = await self._list(portion, effort)
        except Refusal as refusal:
            for one in portion:
                await take(one, _refused(one, None, refusal, effort))
            return
        wanted, again = dict[str, _Wanted](), list[Sought]()
        for one in portion:
            place = self._find(one, sizes)
            if place is None:
                last = next(reversed([*self._addresses.of(one)]), None)
                address = last and last.address
                await take(one, _refused(one, address, nowhere(one, address), effort))
            elif (size := sizes[self._name(place)]) > self._settings.max_bytes:
                large = Refusal(Reason.TOO_MANY_BYTES, f"{place.address}: {size:,}")
                await take(one, _refused(one, place.address, large, effort))
            elif self._name(place) in wanted:
                again.append(one)  # of two that would be the same file, each has its own
            else:
                wanted[self._name(place)] = _Wanted(one, place)
        await self._bring(wanted, take)
        if again:
            await self._fetch(again, take)

    async def _list(self, portion: list[Sought], effort: Effort) -> dict[str, int]:
        """Bytes of what is there, by name."""
        names = [self._name(place) for one in portion for place in self._addresses.of(one)]
        if not names:
            return {}
        return await effort.persist(self._module, lambda: self._client.sizes(names))

    def _find(self, sought: Sought, sizes: dict[str, int]) -> Place | None:
        places = self._addresses.of(sought)
        return next((place for place in places if self._name(place) in sizes), None)

    async def _bring(self, wanted: dict[str, _Wanted], take: Take) -> None:
        """Every one of these to an outcome."""
        while wanted:
            effort, before = self._effort(), len(wanted)
            attempt = partial(self._attempt, wanted, take, effort)
            said, refusal = "", None
            try:
                said = await effort.persist(self._module, attempt)
            except Refusal as failure:
                if len(wanted) < before:
                    continue  # it goes on: those that are left have all their attempts
                refusal = failure
            for name, (sought, place) in wanted.items():
                why = refusal or why_not(name, place.address, said)
                await take(sought, _refused(sought, place.address, why, effort))
            return

    async def _attempt(self, wanted: dict[str, _Wanted], take: Take, effort: Effort) -> str:
        """Take out of `wanted` what came and has an outcome; what rsync said of the others."""
        self._empty()

        async def arrived(name: str) -> None:
            file = self._staging / name
            if name in wanted and file.is_file():
                one = wanted.pop(name)
                await take(one.sought, self._place(one, file, effort))

        failure = None
        try:
            said = await self._client.bring([*wanted], arrived)
        except Passing as passing:
            failure = passing
        for name in [*wanted]:
            await arrived(name)
        if failure:
            raise failure
        return said

    def _place(self, one: _Wanted, file: Path, effort: Effort) -> Fetched:
        sought, (address, path) = one
        expected = Expected(sought.bytes, sought.md5)
        arrival = Arrival(path, expected, self._settings, self._check)
        try:
            arrival.adopt(file)
            arrived = arrival.finish()
        except Refusal as refusal:
            self._tell(Failed(address, effort.attempts, refusal.reason, refusal.detail))
            return _refused(sought, address, refusal, effort)
        finally:
            arrival.discard()
        return Fetched(
            key=sought.key,
            path=str(path),
            url=address,
            attempts=effort.attempts,
            bytes=arrived.bytes,
            sha256=arrived.sha256,
            proof=arrived.proof,
        )

    def _name(self, place: Place) -> str:
        """Relative to the module."""
        return place.address.removeprefix(self._module)

    def _effort(self) -> Effort:
        """Of a portion, for its retries: there is no time that a portion should take, but one that
        each file of it may take, which rsync is watched for.
        """
        return Effort(self._settings, self._budget, self._tell)

    def _empty(self) -> None:
        try:
            shutil.rmtree(self._staging, ignore_errors=True)
            self._staging.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{self._staging}: {error.strerror}") from error


async def list_files(
    source: str, folders: Iterable[str], file: IO[bytes], settings: Fetching
) -> None:
    """Write a line for every file in these folders of `rsync://host/module[/folder]`: its path in
    there.

    Raises UsageError as `RsyncClient` does, SourceError and OutputError.
    """
    module, folder = _split(source)
    if "{" in source or {".", ".."} & {*folder.split("/")}:
        raise UsageError(f"--source {source!r}: not rsync://host/module[/folder]; name --files")
    prefix = f"{folder.strip('/')}/".removeprefix("/")
    names = [prefix + name for name in folders]
    client = RsyncClient(module, Path(), settings, Hosts(settings, _ignore))

    def tell(name: str, _: int) -> None:
        file.write(name.removeprefix(prefix).encode(errors="replace") + b"\n")

    async def attempt() -> None:
        file.seek(0)
        file.truncate()
        await client.below(names, tell)

    try:
        await Effort(settings, Budget(settings.retry_budget), _ignore).persist(module, attempt)
    except Refusal as refusal:
        raise SourceError(str(refusal)) from refusal


def _ignore(_: Event) -> None:
    """Nobody is told."""


def _split(source: str) -> tuple[str, str]:
    """The address of the module, and a path in it."""
    host, _, path = source.removeprefix("rsync://").partition("/")
    module, _, inside = path.partition("/")
    return f"rsync://{host}/{module}/", inside


def _portions(sought: Iterable[Sought]) -> Iterator[list[Sought]]:
    left = iter(sought)
    while portion := [*islice(left, PORTION)]:
        yield portion


def why_not(name: str, address: str, said: str) -> Refusal:
    """Why a file that was listed did not come, by the lines that rsync wrote of it."""
    of_it = re.compile(rf'["/]{re.escape(name)}"')
    line = next(filter(of_it.search, said.splitlines()), "")
    if "Permission denied" in line:
        return Refusal(Reason.FORBIDDEN, f"{address}: {line}")
    if "vanished" in line:
        return Refusal(Reason.NOT_FOUND, f"{address}: {line}")
    return Refusal(Reason.SERVER_ERROR, f"{address}: {line or 'it was listed and did not come'}")


def _refused(sought: Sought, address: str | None, refusal: Refusal, effort: Effort) -> Fetched:
    return Fetched(
        key=sought.key,
        reason=refusal.reason,
        detail=refusal.detail,
        url=address,
        attempts=effort.attempts,
    )
