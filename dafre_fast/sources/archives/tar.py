"""Tar archives: read from the first header to the last, from a file or as they come.

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
"""Names that are not UTF-8 stand escaped: they go into the ledger."""
_MOST_HEADER_BYTES = 1 << 20
_PAX_SIZE = re.compile(rb"\d{1,18}")
_PAX_RECORD = re.compile(rb"\d+ (path|size)=([^\n]*)\n")
_PAX_SPARSE = re.compile(rb"\d+ GNU\.sparse\.")
_SPARSE_GOES_ON = 482
"""Byte of a header of GNU tar that tells whether blocks with more of its map follow."""
_SPARSE_GOES_ON_FURTHER = 504
"""The same, of such a block."""


def index_of(path: Path) -> tuple[Index, Refusal | None]:
    """Of a file without an index: its headers are read and its members skipped. What stands before
    damage counts; the damage is told.
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
            # At a broken header it stops as if that were the end.
            with path.open("rb") as file:
                file.seek(archive.offset)
                if any(file.read(_BLOCK)):
                    detail = f"{path}: no tar header at byte {archive.offset:,}"
                    trouble = Refusal(Reason.BAD_INDEX, detail)
    except (tarfile.TarError, OSError) as error:
        trouble = Refusal(Reason.BAD_INDEX, f"{path}: {error}")
    return by_key(found), trouble


def end_of(member: Member) -> int:
    """Where the next header begins."""
    return member.record.start + -(-member.size // _BLOCK) * _BLOCK


async def members(cursor: Cursor) -> AsyncGenerator[Member]:
    """Members as they come; the cursor stands at the first byte of each, and is moved on to the
    next header, from wherever it has been moved to. Raises Refusal for what is no tar archive.
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
    """Skip the blocks that go on with the map of a sparse file, in the old format of GNU tar."""
    goes_on = header[_SPARSE_GOES_ON]
    while goes_on:
        goes_on = (await cursor.read(_BLOCK))[_SPARSE_GOES_ON_FURTHER]


async def _extended(cursor: Cursor, size: int) -> bytes:
    if size > _MOST_HEADER_BYTES:
        raise Refusal(Reason.BAD_INDEX, f"a tar header of {size:,} bytes at byte {cursor.at:,}")
    text = await cursor.read(-(-size // _BLOCK) * _BLOCK)
    return text[:size]
