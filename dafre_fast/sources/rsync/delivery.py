"""Fetch the wanted files of a portion, check each as it arrives, and give it its final name."""

import shutil
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import OutputError, Refusal
from dafre_fast.core.events import Failed, Tell
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.arrival import Arrival, Expected
from dafre_fast.sources.interface import Check, Take
from dafre_fast.sources.manners.effort import Budget, Effort, Passing
from dafre_fast.sources.outcome import fetched, refused
from dafre_fast.sources.rsync.client import RsyncClient
from dafre_fast.sources.rsync.exit_status import why_not
from dafre_fast.sources.rsync.portion import Wanted


class Staging:
    """The folder that rsync writes into, on the file system of the originals."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remove(self) -> None:
        """Delete the folder, and what a killed run may have left in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def empty(self) -> None:
        """Make an empty folder. Raises OutputError."""
        try:
            self.remove()
            self.path.mkdir(parents=True)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error


class Delivery:
    """Fetches files by an `RsyncClient` that writes into `staging`."""

    def __init__(
        self, client: RsyncClient, staging: Staging, settings: Fetching, check: Check, tell: Tell
    ) -> None:
        self._client, self._staging = client, staging
        self._settings, self._check, self._tell = settings, check, tell
        self.budget = Budget.of(settings)

    def effort(self) -> Effort:
        """Return the effort of a portion: its retries.

        There is no time limit for a portion. rsync is watched for that of each file.
        """
        return Effort(self._settings, self.budget, self._tell)

    async def run(self, module: str, wanted: dict[str, Wanted], take: Take) -> None:
        """Fetch these files, by name, and give the outcome of each to `take`."""
        while wanted:
            effort, before = self.effort(), len(wanted)
            attempt = partial(self._attempt, wanted, take, effort)
            said, refusal = "", None
            try:
                said = await effort.persist(module, attempt)
            except Refusal as failure:
                if len(wanted) < before:
                    continue  # some came: those that are left have all their attempts
                refusal = failure
            for name, (sought, place) in wanted.items():
                why = refusal or why_not(name, place.address, said)
                await take(sought, refused_untimed(sought, place.address, why, effort))
            return

    async def _attempt(self, wanted: dict[str, Wanted], take: Take, effort: Effort) -> str:
        """Remove from `wanted` what came; return what rsync wrote about the others."""
        self._staging.empty()

        async def arrived(name: str) -> None:
            file = self._staging.path / name
            if name in wanted and file.is_file():
                one = wanted.pop(name)
                await take(one.sought, await self._place(one, file, effort))

        failure = None
        try:
            said = await self._client.fetch([*wanted], arrived)
        except Passing as passing:
            failure = passing
        for name in [*wanted]:
            await arrived(name)
        if failure:
            raise failure
        return said

    async def _place(self, one: Wanted, file: Path, effort: Effort) -> Fetched:
        """Check a file and give it its final name; return its outcome."""
        sought, (address, path) = one
        expected = Expected(sought.bytes, sought.md5)
        arrival = Arrival(path, expected, self._settings, self._check)
        try:
            arrival.adopt(file)
            await arrival.hash_aside()
            arrived = arrival.finish()
        except Refusal as refusal:
            self._tell(Failed(public(address), effort.attempts, refusal.reason, refusal.detail))
            return refused_untimed(sought, address, refusal, effort)
        finally:
            arrival.discard()
        return fetched(sought.key, address, arrival.path, arrived, attempts=effort.attempts)


def refused_untimed(
    sought: Sought, address: str | None, refusal: Refusal, effort: Effort
) -> Fetched:
    """Return the outcome of an original that did not come. No time is known of a single one."""
    return replace(refused(sought, refusal, effort, address), seconds=None)
