"""Stream a tar archive that has no index, and keep the index that results."""

import hashlib
from contextlib import aclosing

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.archives import tar
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.delivery import Reading, hand_over, save
from dafre_fast.sources.archives.desk import Archive, Desk, Found, Group
from dafre_fast.sources.archives.inventory import Inventory, Link
from dafre_fast.sources.archives.members import Member, by_key, write_index
from dafre_fast.sources.interface import Span, Take
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.stretch import Stretch, is_beyond

_FOREVER = float("inf")


class TarStream:
    """One pass over a tar archive, from its first byte to its last.

    An attempt that breaks off is continued at the last member's end; one of a compressed archive
    reads it from the beginning.
    """

    def __init__(self, desk: Desk, archive: Archive, group: Group, take: Take) -> None:
        self._desk, self._archive, self._group, self._take = desk, archive, group, take
        self._effort = desk.effort(_FOREVER)
        self._inventory = Inventory()
        self._handed_over: dict[str, Found] = {}
        self._at = 0
        """Byte at which the header of the next member is."""
        self._end: int | None = None
        """Byte at which an archive ended of which the server does not tell the size."""
        self._total: int | None = None

    async def run(self) -> None:
        """Hand over what is sought as it passes, and keep an index. Raises Refusal."""
        async with self._desk.requests, self._effort as effort:
            await effort.persist(self._archive.address, self._attempt)
        if not self._archive.is_compressed and self._total is not None:
            with replacing(self._desk.kept_index(self._archive)) as part:
                part.write_bytes(write_index(self._inventory.index(), self._total))

    def left_behind(self) -> list[Found]:
        """Return what the pass could not hand over, or handed over too early: links, files that
        cannot be read, and members that were written again further on.
        """
        index = self._inventory.index()
        again = [
            Found(found.sought, index[key])
            for key, found in self._handed_over.items()
            if key in index and _differ(index[key], found.member)
        ]
        for found in again:
            self._desk.drop(found)
        return again + self._group.claim(index)

    async def _attempt(self) -> None:
        archive, effort = self._archive, self._effort
        if self._total is not None and self._at > self._total and not archive.is_compressed:
            detail = f"the archive is cut short: it ends at byte {self._total:,}, in a member"
            raise Refusal(Reason.BAD_INDEX, detail)
        span = None if archive.is_compressed or not self._at else Span(self._at)
        try:
            async with Stretch(self._desk.transport, archive.address, effort, span) as body:
                self._total = body.total
                async with aclosing(archive.plain(body.chunks())) as chunks:
                    cursor = Cursor(archive.address, chunks, body.start)
                    await self._read_all(Reading(archive, body, cursor, effort))
        except Refusal:
            if self._end != self._at or not is_beyond(effort):
                raise

    async def _read_all(self, reading: Reading) -> None:
        cursor = reading.cursor
        await cursor.go_to(self._at)
        async for entry in tar.entries(cursor):
            start = cursor.at
            self._inventory.add(await self._pass(entry, reading))
            self._at = tar.end_of(entry, start)
        if cursor.over and self._is_unsized and self._end != cursor.at:
            self._end = cursor.at
            detail = f"ends at byte {cursor.at:,}, and the server does not say whether it is whole"
            raise Passing(Reason.NETWORK_ERROR, detail)

    @property
    def _is_unsized(self) -> bool:
        return self._total is None and not self._archive.is_compressed

    async def _pass(self, entry: Member | Link, reading: Reading) -> Member | Link:
        """Hand over a member if it is an image that is sought; return it with its SHA-256."""
        if isinstance(entry, Link) or entry.unreadable or not by_key([entry]):
            return entry
        return entry._replace(sha256=await self._read(entry, reading))

    async def _read(self, member: Member, reading: Reading) -> str | None:
        """Return the SHA-256 of an image, sought or not: the kept index proves what it finds."""
        for found in self._group.claim(by_key([member])):
            try:
                fetched = await save(self._desk, found, reading)
            except Refusal as refusal:
                if reading.cursor.broken:
                    self._group.left[found.sought.key] = found.sought
                    raise
                fetched = reading.refused(found, refusal)
            self._handed_over[found.sought.key] = found._replace(
                member=member._replace(sha256=fetched.sha256)
            )
            await hand_over(found.sought, fetched, reading.effort, self._take)
            return fetched.sha256
        if self._archive.is_compressed and not self._handed_over.keys() & by_key([member]):
            return None  # no index of it is kept
        hashed = hashlib.sha256()
        async for piece in reading.cursor.pieces(member.size):
            hashed.update(piece)
        return hashed.hexdigest()


def _differ(last: Member, first: Member) -> bool:
    """Return whether a member that was written again may have other bytes."""
    return last.record != first.record and (not last.sha256 or last.sha256 != first.sha256)
