"""One archive: its index, and what is sought in it.

A tar archive with an index, and a zip archive, are read by range, neighbours in one request. A tar
archive without is read once from its beginning, what is sought taken as it passes, and the index
that results is kept for the next run.
"""

import asyncio
import hashlib
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Tell
from dafre_fast.core.layout import STATE, bucket
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources import inflate
from dafre_fast.sources.archives import tar
from dafre_fast.sources.archives import zip as zip_file
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.members import (
    GAP_BYTES,
    REQUEST_BYTES,
    Index,
    Member,
    by_key,
    coalesce,
    read_index,
    write_index,
)
from dafre_fast.sources.arrival import Arrival, Expected
from dafre_fast.sources.interface import Body, Check, Planned, Span, Take, Transport
from dafre_fast.sources.manners.effort import Budget, Effort, Passing
from dafre_fast.sources.outcome import refused

_MOST_INDEX_BYTES = 1 << 26
_GZIP_BITS = 31
_FOREVER = float("inf")

Found = tuple[Sought, Member]


class Archive(NamedTuple):
    """Where one lies, and its index, if one may be there."""

    address: str
    index_address: str | None = None


class Group:
    """What is sought in the same archives, less what was found; and what stood in the way."""

    def __init__(self) -> None:
        self.left: dict[str, Sought] = {}
        self.trouble: Refusal | None = None

    def claim(self, index: Index) -> list[Found]:
        """What of it is in an archive; it is left no more."""
        keys = index if len(index) < len(self.left) else [*self.left]
        return [
            (self.left.pop(key), index[key]) for key in keys if key in index and key in self.left
        ]


class Desk:
    """What all visits to archives have in common."""

    def __init__(
        self, transport: Transport, folder: Path, settings: Fetching, check: Check, tell: Tell
    ) -> None:
        self.transport, self.settings, self._folder = transport, settings, folder
        self._check, self._tell = check, tell
        self._budget = Budget(settings.retry_budget)
        self.requests = asyncio.Semaphore(settings.connections)

    def effort(self, images: float = 1) -> Effort:
        """Of a request for so many images."""
        settings = replace(self.settings, timeout=self.settings.timeout * images)
        return Effort(settings, self._budget, self._tell)

    def arrival(self, one: Sought, member: Member) -> Arrival:
        """Its path comes from id and extension alone, never from the archive's."""
        folder = self._folder / bucket(int(one.key))
        size = member.size if one.bytes is None else one.bytes
        expected = Expected(size, one.md5, member.sha256)
        path = folder / f"{one.key}.{member.extension}"
        return Arrival(path, expected, self.settings, self._check)

    def kept_index(self, archive: Archive) -> Path:
        """Of an archive that came without."""
        name = hashlib.sha256(archive.address.encode()).hexdigest()[:16]
        return self._folder / STATE / "indexes" / f"{name}.json"

    async def load(self, address: str, span: Span | None = None) -> tuple[bytes, Body]:
        """A small object, or a part of one, at once. Raises Refusal."""

        async def attempt() -> tuple[bytes, Body]:
            async with self.transport.open(address, effort, span) as body:
                parts, size = [], 0
                async for chunk in body.chunks():
                    parts.append(chunk)
                    size += len(chunk)
                    if size > _MOST_INDEX_BYTES or (span and span.stop == 1):
                        break
                if size > _MOST_INDEX_BYTES:
                    raise Refusal(Reason.BAD_INDEX, f"{address}: more than {size:,} bytes")
                return b"".join(parts), body

        async with self.requests, self.effort() as effort:
            return await effort.persist(address, attempt)


class Visit:
    """To one archive, for a group."""

    def __init__(self, desk: Desk, archive: Archive, group: Group) -> None:
        self._desk, self._archive, self._group = desk, archive, group
        self._address = archive.address
        self._path = archive.address.partition("?")[0]
        self._by_range = True
        self._kept: Path | None = None
        """The index that an earlier run left, where it is read by that."""

    async def plan(self, take: Callable[[Sought, Planned | None], None]) -> None:
        """Tell of what is found; in an archive without index nothing is."""
        index = await self._index()
        for one, member in self._group.claim(index or {}):
            take(one, Planned(self._url(member), member.size))

    async def fetch(self, take: Take) -> None:
        """Bring what is found, and leave the rest to other archives."""
        index = await self._index()
        if index is None:
            await self._stream(take)
            return
        records = []
        for one, member in self._group.claim(index):
            if member.size and member.record.start >= 0:
                records.append((member.record, (one, member)))
            else:  # no part of a file can be asked for that has no bytes, or is before its start
                reason = Reason.BAD_INDEX if member.size else Reason.EMPTY_FILE
                url = self._url(member)
                await take(one, Fetched(key=one.key, reason=reason, detail=url, url=url))
        if not records:
            return
        limits = {"gap_bytes": GAP_BYTES, "request_bytes": REQUEST_BYTES}
        first, *others = coalesce(records, **limits)
        await self._request(first, take)
        if others and not self._by_range:
            others = [[one for request in others for one in request]]
        async with asyncio.TaskGroup() as requests:
            for request in others:
                requests.create_task(self._request(request, take))

    async def _index(self) -> Index | None:
        """None where it has none and is to be streamed; empty where it is not there at all."""
        try:
            return await self._find_index()
        except Refusal as refusal:
            self._note(refusal)
            return {}

    def _note(self, refusal: Refusal) -> None:
        """Of an archive that is not there nothing is missed."""
        if refusal.reason is not Reason.NOT_FOUND:
            if self._address not in refusal.detail:
                refusal.detail = f"{self._address}: {refusal.detail}"
            self._group.trouble = refusal

    async def _find_index(self) -> Index | None:
        archive, desk = self._archive, self._desk
        if self._path.endswith(".zip"):
            return await self._directory()
        if archive.index_address:
            try:
                text, _ = await desk.load(archive.index_address)
            except Refusal as refusal:
                if refusal.reason is not Reason.NOT_FOUND:
                    raise
            else:
                return read_index(text, archive.index_address)
        if self._compressed:
            return None
        if "://" not in self._address:
            index, trouble = await asyncio.to_thread(tar.index_of, Path(self._address))
            if trouble:
                self._note(trouble)
            return index
        return await self._kept_index()

    async def _kept_index(self) -> Index | None:
        """Of an earlier run, if it is that of the archive of today."""
        kept = self._desk.kept_index(self._archive)
        if not kept.exists():
            return None
        _, body = await self._desk.load(self._address, Span(0, 1))
        try:
            index = read_index(kept.read_bytes(), str(kept), body.total)
        except Refusal:
            return None
        self._kept = kept
        return index

    async def _directory(self) -> Index:
        """Of a zip archive: from its end, which may have to be read further back."""
        _, body = await self._desk.load(self._address, Span(0, 1))
        total, wanted = body.total, zip_file.TAIL_BYTES
        if total is None:
            raise Refusal(Reason.BAD_INDEX, f"{self._address}: the server tells no size")
        while True:
            tail, body = await self._desk.load(self._address, Span(max(total - wanted, 0), total))
            if body.start != max(total - wanted, 0):
                detail = f"{self._address}: its server gives no part of a file"
                raise Refusal(Reason.BAD_INDEX, detail)
            try:
                return zip_file.index_of(tail, total, self._address)
            except zip_file.NeedMore as need:
                wanted = need.bytes

    @property
    def _compressed(self) -> bool:
        return self._path.endswith((".gz", ".tgz"))

    def _url(self, member: Member) -> str:
        return f"{self._address}#{member.name}"

    async def _request(self, found: Sequence[Found], take: Take) -> None:
        """Members in ascending order, in one request as long as that does not fail. Each has its
        own outcome: what came wrong is asked for again, and is given up when it is the same again.
        """
        left = {one.key: (one, member) for one, member in found}
        failures: dict[str, Passing] = {}

        async def attempt() -> None:
            members = list(left.values())
            span = Span(members[0][1].record.start, members[-1][1].record.stop)
            async with self._desk.transport.open(self._address, effort, span) as body:
                self._by_range = self._by_range and body.start == span.start
                async with aclosing(body.chunks()) as chunks:
                    cursor = Cursor(self._address, chunks, body.start)
                    for one, member in members:
                        if fetched := await self._try(one, member, cursor, body, effort, failures):
                            del left[one.key]
                            await _hand_over(one, fetched, effort, take)
            for key in left:
                raise Passing(failures[key].reason, failures[key].detail)

        effort = self._desk.effort(len(left))
        try:
            async with self._desk.requests, effort:
                await effort.persist(self._address, attempt)
        except Refusal as refusal:
            for one, member in left.values():
                own = failures.get(one.key, refusal)
                await take(one, refused(one, own, effort, self._url(member)))

    async def _try(
        self,
        one: Sought,
        member: Member,
        cursor: Cursor,
        body: Body,
        effort: Effort,
        failures: dict[str, Passing],
    ) -> Fetched | None:
        """The outcome of a member, None where another attempt may give one: `failures` has why.
        Raises Refusal where no more bytes come.
        """
        try:
            self._check_within(member, body.total)
            await cursor.go_to(member.record.start)
            return await self._bring(one, member, cursor, body, effort)
        except Passing as passing:
            if cursor.broken:
                raise
            before = failures.setdefault(one.key, passing)
            if before is passing or before.wrong != passing.wrong or passing.wrong is None:
                failures[one.key] = passing
                return None
            if self._kept:  # it may be that of another archive by now: the next run streams it
                self._kept.unlink(missing_ok=True)
            return refused(one, passing, effort, self._url(member))
        except Refusal as refusal:
            if cursor.broken:
                raise
            return refused(one, refusal, effort, self._url(member))

    def _check_within(self, member: Member, total: int | None) -> None:
        if total is not None and (member.record.stop or 0) > total:
            index = self._archive.index_address or self._address
            detail = f"{index}: {member.name!r} lies behind the end of its archive"
            raise Refusal(Reason.BAD_INDEX, detail)

    async def _stream(self, take: Take) -> None:
        """All of it once, from the first byte to the last."""
        effort, seen, at = self._desk.effort(_FOREVER), dict[str, Member](), 0
        total: int | None = None

        async def attempt() -> None:
            nonlocal at, total
            span = None if self._compressed or not at else Span(at)
            async with self._desk.transport.open(self._address, effort, span) as body:
                total = body.total
                chunks = _gunzipped(body.chunks()) if self._compressed else body.chunks()
                async with aclosing(chunks):
                    cursor = Cursor(self._address, chunks, body.start)
                    await cursor.go_to(at)
                    async for member in tar.members(cursor):
                        for key in by_key([member]):
                            hashed = await self._take_passing(member, cursor, body, effort, take)
                            seen.setdefault(key, member._replace(sha256=hashed))
                        at = tar.end_of(member)

        try:
            async with self._desk.requests, effort:
                await effort.persist(self._address, attempt)
        except Refusal as refusal:
            self._note(refusal)
            return
        if not self._compressed and total is not None:
            with replacing(self._desk.kept_index(self._archive)) as part:
                part.write_bytes(write_index(seen, total))

    async def _take_passing(
        self, member: Member, cursor: Cursor, body: Body, effort: Effort, take: Take
    ) -> str | None:
        """An image that passes by in a stream: taken if it is sought, and its SHA-256 noted in any
        case, so that the index that is kept proves what is read by it.
        """
        for one, _ in self._group.claim(by_key([member])):
            try:
                fetched = await self._bring(one, member, cursor, body, effort)
            except Refusal as refusal:
                if cursor.broken:
                    self._group.left[one.key] = one
                    raise
                fetched = refused(one, refusal, effort, self._url(member))
            await _hand_over(one, fetched, effort, take)
            return fetched.sha256
        if self._compressed:  # no index of it is kept
            return None
        hashed = hashlib.sha256()
        async for piece in cursor.pieces(member.size):
            hashed.update(piece)
        return hashed.hexdigest()

    async def _bring(
        self, one: Sought, member: Member, cursor: Cursor, body: Body, effort: Effort
    ) -> Fetched:
        """A member to its place, the cursor standing at its record. What is wrong for good is an
        outcome; raises Passing.
        """
        url, zip_member = self._url(member), member.crc32 is not None
        pieces = zip_file.unpacked(member, cursor) if zip_member else cursor.pieces(member.size)
        arrival, began = self._desk.arrival(one, member), time.monotonic()
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    arrival.write(piece)
            arrived = arrival.finish(proven=Proof.CRC32 if zip_member else None)
        except Passing as passing:
            if url not in passing.detail:
                passing.detail = f"{url}: {passing.detail}".removesuffix(": ")
            raise
        except Refusal as refusal:
            return refused(one, refusal, effort, url)
        finally:
            arrival.discard()
        return Fetched(
            key=one.key,
            path=str(arrival.path),
            url=url,
            final_url=None if body.url == self._address else body.url,
            http_status=body.status,
            attempts=effort.attempts,
            bytes=arrived.bytes,
            seconds=time.monotonic() - began,
            sha256=arrived.sha256,
            proof=arrived.proof,
            etag=body.etag,
            last_modified=body.last_modified,
        )


async def _hand_over(one: Sought, fetched: Fetched, effort: Effort, take: Take) -> None:
    """What is done with it is no time of the source's."""
    with effort.paused():
        await take(one, fetched)


async def _gunzipped(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """In pieces of bounded size. Raises Refusal for what is no gzip data."""
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
