"""Look for the originals of a group in one archive: plan them, or fetch them."""

from collections.abc import Callable

from dafre_fast.core.errors import Refusal
from dafre_fast.core.records import Sought
from dafre_fast.sources.archives.contents import Contents, find_contents
from dafre_fast.sources.archives.desk import Archive, Desk, Group
from dafre_fast.sources.archives.ranges import read_by_range
from dafre_fast.sources.archives.stream import TarStream
from dafre_fast.sources.interface import Planned, Take


async def plan(
    desk: Desk, archive: Archive, group: Group, take: Callable[[Sought, Planned | None], None]
) -> None:
    """Give `take` the address and size of each original that the index of an archive has.

    An archive that would have to be streamed for that is left out.
    """
    contents = await _contents(desk, archive, group)
    for one, member in group.claim(contents.members or {}):
        take(one, Planned(archive.url(member), member.size))


async def fetch(desk: Desk, archive: Archive, group: Group, take: Take) -> None:
    """Fetch the originals that an archive holds, and leave the others in the group.

    An archive with an index is read by range, another one is streamed; what passes too early then
    is read in a second pass.
    """
    contents = await _contents(desk, archive, group)
    if contents.members is not None:
        group.any_there |= contents.trouble is None
        found = group.claim(contents.members)
        await read_by_range(desk, archive, found, contents, take)
        return
    stream = TarStream(desk, archive, group, take)
    try:
        await stream.run()
    except Refusal as refusal:
        group.note(archive, refusal)
    else:
        group.any_there = True
    await read_by_range(desk, archive, stream.left_behind(), Contents(None), take)


async def _contents(desk: Desk, archive: Archive, group: Group) -> Contents:
    """Return the members of an archive; none if it cannot be read, with the reason in `group`."""
    try:
        contents = await find_contents(desk, archive)
    except Refusal as refusal:
        contents = Contents({}, trouble=refusal)
    if contents.trouble:
        group.note(archive, contents.trouble)
    return contents
