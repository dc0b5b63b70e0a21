"""Tar archives: read from the first header to the last, from a file or as they come.

Format: POSIX.1-1988 ustar, with the long names of GNU tar and of pax (POSIX.1-2001).
"""

import re
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path

from dafre_fast.model.errors import Refusal
from dafre_fast.model.reason import Reason
from dafre_fast.sources.cursor import Cursor
from dafre_fast.sources.members import Index, Member, by_key
from dafre_fast.sources.source import Span

_BLOCK = tarfile.BLOCKSIZE
_MOST_HEADER_BYTES = 1 << 20
_PAX_RECORD = re.compile(rb"\d+ (path|size)=([^\n]*)\n")


def index_of(path: Path) -> Index:
    """Of a file without an index: its headers are read and its members skipped.

    Raises Refusal for what is no tar archive.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            return by_key(
                Member(info.name, Span(info.offset_data, info.offset_data + info.size), info.size)
                for info in archive
                if info.isreg() and not info.issparse()
            )
    except (tarfile.TarError, OSError) as error:
        raise Refusal(Reason.BAD_INDEX, f"{path}: {error}") from error


def end_of(member: Member) -> int:
    """Where the next header begins."""
    return member.record.start + -(-member.size // _BLOCK) * _BLOCK


async def members(cursor: Cursor) -> AsyncGenerator[Member]:
    """Members as they come; the cursor stands at the first byte of each, and is moved on to the
    next header, from wherever it has been moved to. Raises Refusal for what is no tar archive.
    """
    name, size = None, None
    while any(block := await cursor.read(_BLOCK)):
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            detail = f"no tar header at byte {cursor.at - _BLOCK:,} ({error})"
            raise Refusal(Reason.BAD_INDEX, detail) from error
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            text = await _extended(cursor, info.size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = text.rstrip(b"\0").decode(errors="surrogateescape")
            else:
                known = dict(_PAX_RECORD.findall(text))
                name = known[b"path"].decode() if b"path" in known else name
                size = int(known[b"size"]) if b"size" in known else None
            continue
        size = info.size if size is None else size
        start = cursor.at
        member = Member(name or info.name, Span(start, start + size), size)
        if info.isreg() and not info.issparse():
            yield member
        await cursor.go_to(end_of(member))
        name, size = None, None


async def _extended(cursor: Cursor, size: int) -> bytes:
    if size > _MOST_HEADER_BYTES:
        raise Refusal(Reason.BAD_INDEX, f"a tar header of {size:,} bytes at byte {cursor.at:,}")
    text = await cursor.read(-(-size // _BLOCK) * _BLOCK)
    return text[:size]
