"""Records about archives, and the desk: transport, settings and retries shared by all of them."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Notice, Tell
from dafre_fast.core.layout import STATE, bucket
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.archives.gunzip import gunzipped
from dafre_fast.sources.archives.members import Index, Member, NoIndex
from dafre_fast.sources.arrival import Arrival, Expected
from dafre_fast.sources.interface import Body, Check, Span, Transport
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.stretch import Stretch

_MOST_INDEX_BYTES = 1 << 26
_INDEX_REVISION = 2
"""Raised where an archive would be read otherwise: kept indexes of earlier ones do not count."""


class Archive(NamedTuple):
    """The address of an archive, and of its index if it may have one."""

    address: str
    index_address: str | None = None
    has_index: bool = False
    """Whether the index is known to be there; else its address is a guess."""

    @property
    def is_local(self) -> bool:
        return "://" not in self.address

    @property
    def is_zip(self) -> bool:
        return self._path.endswith(".zip")

    @property
    def is_compressed(self) -> bool:
        """Whether it is a tar archive in gzip, which can only be read from its beginning."""
        return self._path.endswith((".gz", ".tgz"))

    def plain(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Return the bytes of the archive, decompressed if it is compressed as a whole."""
        return gunzipped(chunks) if self.is_compressed else chunks

    def url(self, member: Member) -> str:
        """Return the address of a member: that of the archive, `#`, and the member's name."""
        return f"{self.address}#{member.name}"

    @property
    def _path(self) -> str:
        return self.address if self.is_local else self.address.partition("?")[0]


class Found(NamedTuple):
    """An original that is sought, and the member of an archive that holds it."""

    sought: Sought
    member: Member


class Group:
    """Originals sought in the same archives."""

    def __init__(self) -> None:
        self.left: dict[str, Sought] = {}
        """Originals that no archive was found to hold so far, by key."""
        self.trouble: Refusal | None = None
        """Reason why an archive that may hold some of them could not be read, if there is one."""
        self.absent: Refusal | None = None
        """The answer about an archive that does not exist."""
        self.any_there = False
        """Whether one of its archives exists."""

    def claim(self, index: Index) -> list[Found]:
        """Remove from `left` and return the originals that an archive holds."""
        keys = index if len(index) < len(self.left) else [*self.left]
        return [
            Found(self.left.pop(key), index[key])
            for key in keys
            if key in index and key in self.left
        ]

    def note(self, archive: Archive, refusal: Refusal) -> None:
        """Record why an archive could not be read. One that does not exist is no trouble."""
        if public(archive.address) not in refusal.detail:
            refusal.detail = f"{archive.address}: {refusal.detail}"
        if refusal.reason is Reason.NOT_FOUND:
            self.absent = refusal
        else:
            self.trouble = refusal

    def why_left(self) -> Refusal | None:
        """Return why originals are left: an archive could not be read, or none exists. None if
        archives were read that do not hold them.
        """
        if self.trouble or self.any_there or not self.absent:
            return self.trouble
        return Refusal(Reason.MISSING_ORIGINAL, f"no archive is there: {self.absent.detail}")


class Desk:
    """Transport, settings, retries and checks, shared by all archives of a source."""

    def __init__(
        self, transport: Transport, folder: Path, settings: Fetching, check: Check, tell: Tell
    ) -> None:
        self.transport, self.settings, self._folder = transport, settings, folder
        self._check, self._tell = check, tell
        self._ignored = False
        self._budget = Budget.of(settings)
        self.requests = asyncio.Semaphore(settings.connections)

    def effort(self, images: float = 1) -> Effort:
        """Return the effort for a request that may last as long as `images` originals."""
        settings = replace(self.settings, timeout=self.settings.timeout * images)
        return Effort(settings, self._budget, self._tell)

    def arrival(self, found: Found) -> Arrival:
        """Return an arrival for a member.

        Its path follows from id and extension alone, never from a path in the archive.
        """
        one, member = found
        folder = self._folder / bucket(int(one.key))
        size = member.size if one.bytes is None else one.bytes
        expected = Expected(size, one.md5, member.sha256)
        path = folder / f"{one.key}.{member.extension}"
        return Arrival(path, expected, self.settings, self._check)

    def drop(self, found: Found) -> None:
        """Delete the file of an original, which a later member of the archive replaces."""
        Path(self.arrival(found).path).unlink(missing_ok=True)

    def ignore_index(self, refusal: Refusal) -> None:
        """Report that what lies beside an archive is ignored, the first time."""
        if not self._ignored:
            self._tell(
                Notice(
                    f"{refusal.detail}: this is no index, and is ignored; what the archive holds is"
                    " read from the archive itself"
                )
            )
        self._ignored = True

    def kept_index(self, archive: Archive) -> Path:
        """Return the path at which the index of a streamed archive is kept."""
        of = f"{_INDEX_REVISION} {archive.address}"
        name = hashlib.sha256(of.encode(errors="surrogateescape")).hexdigest()[:16]
        return self._folder / STATE / "indexes" / f"{name}.json"

    async def load(self, address: str, span: Span | None = None) -> tuple[bytes, Body]:
        """Read an object of at most 64 MiB, or a span of one, into memory. Raises Refusal."""

        async def attempt() -> tuple[bytes, Body]:
            async with Stretch(self.transport, address, effort, span) as body:
                parts, size = [], 0
                async with aclosing(body.chunks()) as chunks:
                    async for chunk in chunks:
                        parts.append(chunk)
                        size += len(chunk)
                        if size > _MOST_INDEX_BYTES or (span and span.stop == 1):
                            break
                if size > _MOST_INDEX_BYTES:
                    detail = f"{address}: an index of more than {_MOST_INDEX_BYTES:,} bytes"
                    raise NoIndex(Reason.BAD_INDEX, detail)
                return b"".join(parts), body

        async with self.requests, self.effort() as effort:
            return await effort.persist(address, attempt)
