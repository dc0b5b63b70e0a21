"""One object per image, its address by a template: `https://host/original/{bucket}/{id}.{ext}`."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

from dafre_fast.model.errors import Refusal, UsageError
from dafre_fast.model.events import Tell
from dafre_fast.model.files import bucket
from dafre_fast.model.reason import Reason
from dafre_fast.model.records import Fetched, Sought
from dafre_fast.model.settings import Fetching
from dafre_fast.sources.arrival import Check, Expected
from dafre_fast.sources.concurrently import concurrently
from dafre_fast.sources.effort import Budget, Effort, refused
from dafre_fast.sources.source import Planned, Take, Transport
from dafre_fast.sources.transfer import Transfer

_SLICE = re.compile(r"(\d*):(\d*)")
_EXTENSION = re.compile(r"[a-z0-9]{1,5}")


class _Digits(str):
    """Text of which `{md5[0:2]}` in a template is a part."""

    __slots__ = ()

    def __getitem__(self, part: object) -> str:
        match = _SLICE.fullmatch(str(part))
        if match is None:
            raise ValueError(f"[{part}] is not a slice")
        start, stop = (int(end) if end else None for end in match.groups())
        return str(self)[start:stop]


class Template:
    """Fetches originals by address into `folder/{bucket}/{id}.{ext}`.

    The fields are `{id}`, `{bucket}`, `{ext}`, `{md5}` and slices of it. Where the extension is not
    known beforehand, those of the settings are tried in order; the name of the file remembers which
    it was. Raises UsageError for a template that names no image or an unknown field.
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
        self._template, self._transport, self._folder = template, transport, folder
        self._settings, self._check, self._tell = settings, check, tell
        self._budget = Budget(settings.retry_budget)
        self._asks_extension, self._asks_md5 = "{ext" in template, "{md5" in template
        try:
            one, other = (self._address(Sought(str(n), md5=f"{n:032}"), "jpg") for n in (1, 1001))
        except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
            raise UsageError(
                f"--source {template!r}: not a template of addresses ({error})"
            ) from error
        if one == other:
            raise UsageError(f"--source {template!r}: names the same file for every {{id}}")

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._transport.__aexit__(*error)

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        await concurrently(self._fetch_one, sought, take, self._settings, self._tell)

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        for one in sought:
            addresses = [address for address, _ in self._addresses(one)]
            take(one, Planned(addresses[0], one.bytes) if addresses else None)

    async def _fetch_one(self, sought: Sought) -> Fetched:
        effort = Effort(self._settings, self._budget, self._tell)
        address = None
        try:
            async with effort:
                for address, path in self._addresses(sought):
                    if fetched := await self._try(sought, address, path, effort):
                        return fetched
            raise _nowhere(sought, address)
        except Refusal as refusal:
            return refused(sought, refusal, effort, address)

    async def _try(
        self, sought: Sought, address: str, path: Path, effort: Effort
    ) -> Fetched | None:
        """None where there is no such file."""
        expected = Expected(sought.bytes, sought.md5)
        transfer = Transfer(sought.key, address, path, expected, self._settings, self._check)
        try:
            return await transfer.run(self._transport, effort)
        except Refusal as refusal:
            if refusal.reason is Reason.NOT_FOUND:
                return None
            raise

    def _addresses(self, sought: Sought) -> Iterator[tuple[str, Path]]:
        """Where it may lie, and the file that it becomes."""
        if self._asks_md5 and not sought.md5:
            return
        known = sought.extension
        if not known or not _EXTENSION.fullmatch(known):
            known = None if self._asks_extension else "jpg"
        folder = self._folder / bucket(int(sought.key))
        for extension in (known,) if known else self._settings.extensions:
            yield self._address(sought, extension), folder / f"{sought.key}.{extension}"

    def _address(self, sought: Sought, extension: str) -> str:
        number = int(sought.key)
        md5 = _Digits(sought.md5 or "")
        return self._template.format(id=number, bucket=bucket(number), ext=extension, md5=md5)


def _nowhere(sought: Sought, last: str | None) -> Refusal:
    if last is None:
        return Refusal(Reason.MISSING_ORIGINAL, f"the md5 of {sought.key} is not in --metadata")
    return Refusal(Reason.NOT_FOUND, last if sought.extension else f"{last} and other extensions")
