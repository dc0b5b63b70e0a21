"""Tar archives: find the members of a local file, or of a stream while it is read.

A local file is read by `tarfile`, which seeks from header to header. It cannot read a stream that
has to be awaited, so `members` reads that, by the same parser of headers (`TarInfo.frombuf`). Both
pass over sparse files.

Format: POSIX.1-1988 ustar, with the long names of GNU tar and of pax (POSIX.1-2001).
"""

import re
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.members import Index, Member, by_key
from dafre_fast.sources.interface import Span

_BLOCK = tarfile.BLOCKSIZE
_ERRORS = "backslashreplace"
"""Bytes of names that are not UTF-8 are escaped: names go into the ledger."""
_MOST_HEADER_BYTES = 1 << 20
_PAX_SIZE = re.compile(rb"\d{1,18}")
_PAX_RECORD = re.compile(rb"\d+ (path|size)=([^\n]*)\n")
_PAX_SPARSE = re.compile(rb"\d+ GNU\.sparse\.")
_SPARSE_GOES_ON = 482
"""Byte of a sparse file's header in GNU tar: whether a block with more of its map follows."""
_SPARSE_GOES_ON_FURTHER = 504
"""The same byte in a block with more of the map."""


def index_of(path: Path) -> tuple[Index, Refusal | None]:
    """Read the headers of a local archive; return its index, and its damage if there is any.

    The index has the members before the damage.
    """
    found: list[Member] = []
    trouble = None
    try:
        with tarfile.open(path, "r:", errors=_ERRORS) as archive:
            for info in archive:
                if info.size < 0:  # or it would go round in circles
                    raise tarfile.ReadError(f"{info.name!r} has {info.size:,} bytes")
                if info.isreg() and not info.issparse():
                    span = Span(info.offset_data, info.offset_data + info.size)
                    found.append(Member(info.name, span, info.size))
            # `tarfile` takes a broken header for the end of the archive.
            with path.open("rb") as file:
                file.seek(archive.offset)
                if any(file.read(_BLOCK)):
                    detail = f"{path}: no tar header at byte {archive.offset:,}"
                    trouble = Refusal(Reason.BAD_INDEX, detail)
    except (tarfile.TarError, OSError) as error:
        trouble = Refusal(Reason.BAD_INDEX, f"{path}: {error}")
    return by_key(found), trouble


def end_of(member: Member) -> int:
    """Return the byte at which the next header begins."""
    return member.record.start + -(-member.size // _BLOCK) * _BLOCK


async def members(cursor: Cursor) -> AsyncGenerator[Member]:
    """Yield members while an archive is read, each with the cursor at its first byte.

    The caller may read the member or not: the cursor is moved to the next header. Raises Refusal
    BAD_INDEX for other data than a tar archive.
    """
    name, size, sparse = None, None, False
    while any(block := await cursor.read(_BLOCK)):
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", _ERRORS)
            if info.size < 0:
                raise ValueError(f"{info.size:,} bytes")
        except (tarfile.HeaderError, ValueError) as error:
            detail = f"no tar header at byte {cursor.at - _BLOCK:,} ({error})"
            raise Refusal(Reason.BAD_INDEX, detail) from error
        if info.type in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
            text = await _extended(cursor, info.size)
            if info.type == tarfile.GNUTYPE_LONGNAME:
                name = text.rstrip(b"\0").decode(errors=_ERRORS)
            else:
                known = dict(_PAX_RECORD.findall(text))
                name = known[b"path"].decode(errors=_ERRORS) if b"path" in known else name
                said = known.get(b"size", b"")
                size = int(said) if _PAX_SIZE.fullmatch(said) else None
                sparse = bool(_PAX_SPARSE.search(text))
            continue
        if info.type == tarfile.GNUTYPE_SPARSE:
            sparse = True
            await _skip_map(cursor, block)
        size = info.size if size is None else size
        start = cursor.at
        member = Member(name or info.name, Span(start, start + size), size)
        if info.isreg() and not sparse:
            yield member
        await cursor.go_to(end_of(member))
        name, size, sparse = None, None, False


async def _skip_map(cursor: Cursor, header: bytes) -> None:
    """Skip the blocks with more of the map of a sparse file, in the old format of GNU tar."""
    goes_on = header[_SPARSE_GOES_ON]
    while goes_on:
        goes_on = (await cursor.read(_BLOCK))[_SPARSE_GOES_ON_FURTHER]


async def _extended(cursor: Cursor, size: int) -> bytes:
    """Read the text of an extended header: a long name, or records of pax."""
    if size > _MOST_HEADER_BYTES:
        raise Refusal(Reason.BAD_INDEX, f"a tar header of {size:,} bytes at byte {cursor.at:,}")
    text = await cursor.read(-(-size // _BLOCK) * _BLOCK)
    return text[:size]
