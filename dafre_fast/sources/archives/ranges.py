"""Read members of an archive by range: neighbours in one request, several requests at once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.sources.archives.contents import Contents
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.delivery import Reading, hand_over, save
from dafre_fast.sources.archives.desk import Archive, Desk, Found
from dafre_fast.sources.archives.members import GAP_BYTES, REQUEST_BYTES, Member, coalesce
from dafre_fast.sources.interface import Span, Take
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.outcome import refused
from dafre_fast.sources.stretch import Stretch


async def read_by_range(
    desk: Desk, archive: Archive, found: Sequence[Found], contents: Contents, take: Take
) -> None:
    """Fetch these members, and give the outcome of each to `take`.

    `contents` tells by which index they were found. One that an earlier run wrote is deleted where
    it turns out to be wrong.
    """
    readable = []
    for one in found:
        if refusal := _unreadable(one.member):
            await take(one.sought, _refused(one, archive, refusal))
        else:
            readable.append(one)
    for alone in _apart(readable):
        await _read_apart(desk, archive, alone, contents, take)


async def _read_apart(
    desk: Desk, archive: Archive, found: Sequence[Found], contents: Contents, take: Take
) -> None:
    """Fetch members each of which has its own place."""
    records = [(one.member.record, one) for one in found]
    first, *others = coalesce(records, gap_bytes=GAP_BYTES, request_bytes=REQUEST_BYTES)
    request = Request(desk, archive, first, contents, take)
    await request.run()
    if others and not request.by_range:
        # The server sends the whole archive each time: one more request is enough for the rest.
        others = [[one for request in others for one in request]]
    async with asyncio.TaskGroup() as requests:
        for members in others:
            requests.create_task(Request(desk, archive, members, contents, take).run())


def _apart(found: Sequence[Found]) -> list[list[Found]]:
    """Return lists of members in which each place of the archive occurs once: links lead to a place
    that another member may have, too.
    """
    lists: list[list[Found]] = []
    times = Counter[int]()
    for one in found:
        start = one.member.record.start
        if times[start] == len(lists):
            lists.append([])
        lists[times[start]].append(one)
        times[start] += 1
    return lists


def _refused(one: Found, archive: Archive, refusal: Refusal) -> Fetched:
    url = archive.url(one.member)
    detail = f"{url}: {refusal.detail}".removesuffix(": ")
    return Fetched(key=one.sought.key, reason=refusal.reason, detail=detail, url=url)


def _unreadable(member: Member) -> Refusal | None:
    """Return why no range can be asked for: nothing that can be read, no bytes, or a place before
    the archive's start.
    """
    if member.unreadable:
        return Refusal(Reason.UNSUPPORTED_FORMAT, member.unreadable)
    if not member.size:
        return Refusal(Reason.EMPTY_FILE)
    return Refusal(Reason.BAD_INDEX) if member.record.start < 0 else None


class Request:
    """One request for members in ascending order; attempted until each has its own outcome.

    A member that comes wrong is asked for again, and refused when the same comes a second time.
    """

    def __init__(
        self, desk: Desk, archive: Archive, found: Sequence[Found], contents: Contents, take: Take
    ) -> None:
        self._desk, self._archive, self._contents, self._take = desk, archive, contents, take
        self._left = {one.sought.key: one for one in found}
        self._failures: dict[str, Passing] = {}
        """Failure of the last attempt for a member, by key."""
        self._effort = desk.effort(len(self._left))
        self.by_range = True
        """Whether the server sent the part that was asked for, and not the whole archive."""

    async def run(self) -> None:
        """Fetch the members, and give the outcome of each to `take`."""
        effort = self._effort
        try:
            async with self._desk.requests, effort:
                await effort.persist(self._archive.address, self._attempt)
        except Refusal as refusal:
            for key, (one, member) in self._left.items():
                why = self._failures.get(key, refusal)
                await self._take(one, refused(one, why, effort, self._archive.url(member)))

    async def _attempt(self) -> None:
        address, effort = self._archive.address, self._effort
        members = [*self._left.values()]
        span = Span(members[0].member.record.start, members[-1].member.record.stop)
        whole = self._archive.is_compressed
        asked = None if whole else span
        async with Stretch(self._desk.transport, address, effort, asked) as body:
            self.by_range = self.by_range and not whole and body.start == span.start
            async with aclosing(self._archive.plain(body.chunks())) as chunks:
                cursor = Cursor(address, chunks, body.start)
                reading = Reading(self._archive, body, cursor, effort)
                for found in members:
                    await self._read(found, reading)
        if self._left:
            failure = self._failures[next(iter(self._left))]
            raise Passing(failure.reason, failure.detail)

    async def _read(self, found: Found, reading: Reading) -> None:
        """Hand over the outcome of a member, unless another attempt may give a better one.

        Raises Refusal where no more bytes come.
        """
        try:
            self._check_within(found.member, reading.body.total)
            await reading.cursor.go_to(found.member.record.start)
            fetched = await save(self._desk, found, reading)
        except Refusal as refusal:
            if reading.cursor.broken:
                raise
            if isinstance(refusal, Passing) and not self._is_final(found, refusal):
                return
            fetched = reading.refused(found, refusal)
        del self._left[found.sought.key]
        await hand_over(found.sought, fetched, reading.effort, self._take)

    def _is_final(self, found: Found, passing: Passing) -> bool:
        """Record why a member failed; return whether the same wrong bytes came before."""
        key = found.sought.key
        before, self._failures[key] = self._failures.get(key), passing
        if before is None or passing.wrong is None or before.wrong != passing.wrong:
            return False
        if kept := self._contents.kept:
            # It may be of another archive than today's: the next run streams that.
            kept.unlink(missing_ok=True)
        return True

    def _check_within(self, member: Member, total: int | None) -> None:
        if self._archive.is_compressed:
            return
        index = self._archive.index_address or self._archive.address
        if total is not None and (member.record.stop or 0) > total:
            detail = f"{index}: {member.name!r} ends after the archive's {total:,} bytes"
            raise Refusal(Reason.BAD_INDEX, detail)
        known = self._contents.archive_bytes
        if member.sha256 is None and None not in (total, known) and total != known:
            detail = f"{index}: for an archive of {known:,} bytes, but it has {total:,}"
            raise Refusal(Reason.BAD_INDEX, detail)
