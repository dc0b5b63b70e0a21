"""Stream a tar archive that has no index, and keep the index that results."""

import hashlib
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources import inflate
from dafre_fast.sources.archives import tar
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.delivery import Reading, hand_over, save
from dafre_fast.sources.archives.desk import Archive, Desk, Group
from dafre_fast.sources.archives.members import Member, by_key, write_index
from dafre_fast.sources.interface import Span, Take

_GZIP_BITS = 31
_FOREVER = float("inf")


class TarStream:
    """One pass over a tar archive, from its first byte to its last.

    An attempt that breaks off is continued at the last member's end; one of a compressed archive
    reads it from the beginning.
    """

    def __init__(self, desk: Desk, archive: Archive, group: Group, take: Take) -> None:
        self._desk, self._archive, self._group, self._take = desk, archive, group, take
        self._effort = desk.effort(_FOREVER)
        self._seen: dict[str, Member] = {}
        self._at = 0
        """Byte at which the header of the next member is."""
        self._total: int | None = None

    async def run(self) -> None:
        """Hand over what is sought as it passes, and keep an index. Raises Refusal."""
        async with self._desk.requests, self._effort as effort:
            await effort.persist(self._archive.address, self._attempt)
        if not self._archive.is_compressed and self._total is not None:
            with replacing(self._desk.kept_index(self._archive)) as part:
                part.write_bytes(write_index(self._seen, self._total))

    async def _attempt(self) -> None:
        archive, effort = self._archive, self._effort
        span = None if archive.is_compressed or not self._at else Span(self._at)
        async with self._desk.transport.open(archive.address, effort, span) as body:
            self._total = body.total
            chunks = _gunzipped(body.chunks()) if archive.is_compressed else body.chunks()
            async with aclosing(chunks):
                cursor = Cursor(archive.address, chunks, body.start)
                await cursor.go_to(self._at)
                async for member in tar.members(cursor):
                    await self._pass(member, Reading(archive, body, cursor, effort))
                    self._at = tar.end_of(member)

    async def _pass(self, member: Member, reading: Reading) -> None:
        """Add a member to the index if it is an image, and hand it over if it is sought."""
        for key in by_key([member]):
            sha256 = await self._read(member, reading)
            self._seen.setdefault(key, member._replace(sha256=sha256))

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
            await hand_over(found.sought, fetched, reading.effort, self._take)
            return fetched.sha256
        if self._archive.is_compressed:  # no index of it is kept
            return None
        hashed = hashlib.sha256()
        async for piece in reading.cursor.pieces(member.size):
            hashed.update(piece)
        return hashed.hexdigest()


async def _gunzipped(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Decompress gzip data, in pieces of bounded size. Raises Refusal for other data."""
    decoder = zlib.decompressobj(_GZIP_BITS)
    try:
        async for chunk in chunks:
            data = chunk
            while data:
                for piece in inflate.inflated(decoder, data):
                    yield piece
                data = decoder.unused_data
                if decoder.eof:  # another member of the same file may follow
                    decoder = zlib.decompressobj(_GZIP_BITS)
    except zlib.error as error:
        raise Refusal(Reason.BAD_INDEX, f"not gzip data ({error})") from error
