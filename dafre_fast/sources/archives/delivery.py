"""Save one member of an archive as an original, and hand its outcome over."""

import time
from contextlib import aclosing
from typing import NamedTuple

from dafre_fast.core.addresses import public
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Proof
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.sources import outcome
from dafre_fast.sources.archives import zip as zip_file
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.desk import Archive, Desk, Found
from dafre_fast.sources.interface import Body, Take
from dafre_fast.sources.manners.effort import Effort, Passing


class Reading(NamedTuple):
    """An archive while one answer of its server is read."""

    archive: Archive
    body: Body
    cursor: Cursor
    """Position in the bytes of the archive."""
    effort: Effort

    def refused(self, found: Found, refusal: Refusal) -> Fetched:
        """Return the outcome of a member that cannot be had."""
        return outcome.refused(found.sought, refusal, self.effort, self.archive.url(found.member))


async def save(desk: Desk, found: Found, reading: Reading) -> Fetched:
    """Write a member to its file and return its outcome. The cursor is at the member's record.

    Raises Passing where another attempt may succeed.
    """
    archive, body, cursor, effort = reading
    member, url = found.member, archive.url(found.member)
    in_zip = member.crc32 is not None
    pieces = zip_file.unpacked(member, cursor) if in_zip else cursor.pieces(member.size)
    arrival, began = desk.arrival(found), time.monotonic()
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                arrival.write(piece)
        await arrival.hash_aside()
        arrived = arrival.finish(proven=Proof.CRC32 if in_zip else None)
    except Passing as passing:
        if public(url) not in passing.detail:
            passing.detail = f"{url}: {passing.detail}".removesuffix(": ")
        raise
    except Refusal as refusal:
        return reading.refused(found, refusal)
    finally:
        arrival.discard()
    return outcome.fetched(
        found.sought.key,
        url,
        arrival.path,
        arrived,
        attempts=effort.attempts,
        seconds=time.monotonic() - began,
        body=body,
        address=archive.address,
    )


async def hand_over(one: Sought, fetched: Fetched, effort: Effort, take: Take) -> None:
    """Give an outcome to `take`. The time that `take` needs is not counted for the source."""
    with effort.paused():
        await take(one, fetched)
