"""Find out what an archive holds: by its directory, its index, its headers, or a kept index."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

from dafre_fast.core.daemons import Daemons
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.archives import tar
from dafre_fast.sources.archives import zip as zip_file
from dafre_fast.sources.archives.desk import Archive, Desk
from dafre_fast.sources.archives.members import Index, NoIndex, Read, read_index
from dafre_fast.sources.interface import Span

_READERS = Daemons("index", most=4)
"""Threads that read the headers of archives on disk, which may take long."""


class Contents(NamedTuple):
    """The members of an archive, as far as they are known before any is read."""

    members: Index | None
    """Members by key, or None for an archive without index, which has to be streamed."""
    trouble: Refusal | None = None
    """Damage behind which there may be members that are not known."""
    kept: Path | None = None
    """The index that they were read from, if an earlier run wrote it."""
    archive_bytes: int | None = None
    """Size of the archive that their index is of, if it says so."""


async def find_contents(desk: Desk, archive: Archive) -> Contents:
    """Find the members of an archive.

    Raises Refusal where the archive or its index cannot be read; NOT_FOUND where the archive does
    not exist.
    """
    if archive.is_zip:
        return Contents(await _read_directory(desk, archive.address))
    if archive.index_address:
        index = await _load_index(desk, archive.index_address, sure=archive.has_index)
        if index is not None:
            return Contents(index.members, archive_bytes=index.archive_bytes)
    if archive.is_compressed:
        return Contents(None)
    if archive.is_local:
        return Contents(*await _READERS.run(partial(tar.index_of, Path(archive.address))))
    return await _find_kept(desk, archive)


async def _load_index(desk: Desk, address: str, *, sure: bool) -> Read | None:
    """Return the index at an address; None if nothing is there, or something else: metadata, or the
    page of a server. Where the address is a guess, a store may forbid what is not there.
    """
    try:
        text, _ = await desk.load(address)
        return read_index(text, address)
    except NoIndex as other:
        desk.ignore_index(other)
    except Refusal as refusal:
        if refusal.reason is not Reason.NOT_FOUND and (sure or not refusal.reason.may_mean_missing):
            raise
    return None


async def _find_kept(desk: Desk, archive: Archive) -> Contents:
    """Return the index that an earlier run kept, if the archive still has the same size."""
    kept = desk.kept_index(archive)
    if not kept.exists():
        return Contents(None)
    _, body = await desk.load(archive.address, Span(0, 1))
    try:
        index = read_index(kept.read_bytes(), str(kept), body.total)
    except Refusal:
        return Contents(None)
    return Contents(index.members, kept=kept)


async def _read_directory(desk: Desk, address: str) -> Index:
    """Return the index of a zip archive from its last bytes; reads further back where needed."""
    _, body = await desk.load(address, Span(0, 1))
    total, wanted = body.total, zip_file.TAIL_BYTES
    if total is None:
        detail = f"{address}: the server does not send the size, which a zip archive needs"
        raise Refusal(Reason.BAD_INDEX, detail)
    if total == 0:
        raise Refusal(Reason.BAD_INDEX, f"{address}: is empty")
    while True:
        tail, body = await desk.load(address, Span(max(total - wanted, 0), total))
        if body.start != max(total - wanted, 0):
            detail = f"{address}: the server sends no part of a file, which a zip archive needs"
            raise Refusal(Reason.BAD_INDEX, detail)
        try:
            return zip_file.index_of(tail, total, address)
        except zip_file.NeedMore as need:
            wanted = need.bytes
