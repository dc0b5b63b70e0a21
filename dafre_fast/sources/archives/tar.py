"""Tar archives: find the entries of a local file, or of a stream while it is read.

A local file is read by `tarfile`, which seeks from header to header. It cannot read a stream that
has to be awaited, so `entries` reads that, by the same parser of headers (`TarInfo.frombuf`). What
the entries mean together is told by `Inventory`. Sparse files are named, and not read.

Format: POSIX.1-1988 ustar, with the long names of GNU tar and of pax (POSIX.1-2001).
"""

import re
import tarfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.inventory import Inventory, Link
from dafre_fast.sources.archives.members import Index, Member
from dafre_fast.sources.interface import Span

_BLOCK = tarfile.BLOCKSIZE
_ERRORS = "backslashreplace"
"""Bytes of names that are not UTF-8 are escaped: names go into the ledger."""
_MOST_HEADER_BYTES = 1 << 20
_PAX_SIZE = re.compile(rb"\d{1,18}")
_PAX_RECORD = re.compile(rb"(\d{1,7}) ([^=]+)=")
_EXTENDED = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
}
_SPARSE_GOES_ON = 482
"""Byte of a sparse file's header in GNU tar: whether a block with more of its map follows."""
_SPARSE_GOES_ON_FURTHER = 504
"""The same byte in a block with more of the map."""


def index_of(path: Path) -> tuple[Index, Refusal | None]:
    """Read the headers of a local archive; return its index, and its damage if there is any.

    The index has the members before the damage.
    """
    inventory = Inventory()
    trouble = None
    try:
        with tarfile.open(path, "r:", errors=_ERRORS) as archive:
            for info in archive:
                if info.size < 0:  # or it would go round in circles
                    raise tarfile.ReadError(f"{info.name!r} has {info.size:,} bytes")
                span = Span(info.offset_data, info.offset_data + info.size)
                if entry := _entry(info, info.name, info.linkname, span, sparse=info.issparse()):
                    inventory.add(entry)
            # `tarfile` takes a broken header for the end of the archive.
            with path.open("rb") as file:
                file.seek(archive.offset)
                if any(file.read(_BLOCK)):
                    detail = f"{path}: no tar header at byte {archive.offset:,}"
                    trouble = Refusal(Reason.BAD_INDEX, detail)
    except (tarfile.TarError, OSError) as error:
        trouble = Refusal(Reason.BAD_INDEX, f"{path}: {error}")
    return inventory.index(), trouble


def _entry(
    info: tarfile.TarInfo, name: str, target: str, span: Span, *, sparse: bool
) -> Member | Link | None:
    """Return what an entry is; None for folders, devices and the like."""
    if info.islnk() or info.issym():
        return Link(name, target, hard=info.islnk())
    if not info.isreg():
        return None
    size = (span.stop or 0) - span.start
    return Member(name, span, size, unreadable="a sparse file" if sparse else None)


def end_of(entry: Member | Link, at: int) -> int:
    """Return the byte at which the next header begins, if the bytes of an entry begin at `at`."""
    return at if isinstance(entry, Link) else at + _padded(entry.size)


async def entries(cursor: Cursor) -> AsyncGenerator[Member | Link]:
    """Yield files and links while an archive is read, each with the cursor at its first byte.

    The caller may read a file or not: the cursor is moved to the next header. The archive ends with
    an empty block, or where the object ends between two entries. Raises Refusal BAD_INDEX for other
    data than a tar archive.
    """
    said = _Said()
    while not await cursor.ended() and any(block := await cursor.read(_BLOCK)):
        info = _header(block, cursor.at - _BLOCK)
        if info.type in _EXTENDED:
            said.add(info.type, await _extended(cursor, info.size))
            continue
        if info.type == tarfile.GNUTYPE_SPARSE:
            said.sparse = True
            await _skip_map(cursor, block)
        size = info.size if said.size is None else said.size
        start = cursor.at
        name, target = said.name or info.name, said.target or info.linkname
        span = Span(start, start + size)
        if entry := _entry(info, name, target, span, sparse=said.sparse):
            yield entry
        has_bytes = info.isreg() or info.type not in tarfile.SUPPORTED_TYPES
        await cursor.go_to(start + _padded(size) if has_bytes else start)
        said = _Said()
    if not cursor.at:
        raise Refusal(Reason.BAD_INDEX, "is empty")


@dataclass
class _Said:
    """The facts that extended headers give of the entry behind them."""

    name: str | None = None
    target: str | None = None
    size: int | None = None
    sparse: bool = False

    def add(self, kind: bytes, text: bytes) -> None:
        """Read one more header."""
        if kind == tarfile.GNUTYPE_LONGNAME:
            self.name = _text(text.rstrip(b"\0"))
        elif kind == tarfile.GNUTYPE_LONGLINK:
            self.target = _text(text.rstrip(b"\0"))
        elif kind != tarfile.XGLTYPE:  # which tells of all entries, but not their names
            known = _records(text)
            path = known.get(b"GNU.sparse.name", known.get(b"path"))
            self.name = self.name if path is None else _text(path)
            self.target = _text(known[b"linkpath"]) if b"linkpath" in known else self.target
            size = known.get(b"size", b"")
            self.size = int(size) if _PAX_SIZE.fullmatch(size) else None
            self.sparse = any(record.startswith(b"GNU.sparse.") for record in known)


def _header(block: bytes, at: int) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", _ERRORS)
        if info.size < 0:
            raise ValueError(f"{info.size:,} bytes")
    except (tarfile.HeaderError, ValueError) as error:
        raise Refusal(Reason.BAD_INDEX, f"no tar header at byte {at:,} ({error})") from error
    return info


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _text(name: bytes) -> str:
    return name.decode(errors=_ERRORS)


def _records(text: bytes) -> dict[bytes, bytes]:
    """Return the records of an extended header of pax, `{length} {keyword}={value}\\n`, up to the
    first that is none.
    """
    records, begin = {}, 0
    while match := _PAX_RECORD.match(text, begin):
        end = begin + int(match[1])
        if not match.end() < end <= len(text):
            break
        records[match[2]] = text[match.end() : end - 1]
        begin = end
    return records


async def _skip_map(cursor: Cursor, header: bytes) -> None:
    """Skip the blocks with more of the map of a sparse file, in the old format of GNU tar."""
    goes_on = header[_SPARSE_GOES_ON]
    while goes_on:
        goes_on = (await cursor.read(_BLOCK))[_SPARSE_GOES_ON_FURTHER]


async def _extended(cursor: Cursor, size: int) -> bytes:
    """Read the text of an extended header: a long name, or records of pax."""
    if size > _MOST_HEADER_BYTES:
        raise Refusal(Reason.BAD_INDEX, f"a tar header of {size:,} bytes at byte {cursor.at:,}")
    text = await cursor.read(_padded(size))
    return text[:size]
