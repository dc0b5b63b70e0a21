"""Zip archives: read the directory at their end, and unpack members.

Format: PKWARE's APPNOTE, 4.3.7 (local header). The directory is read by `zipfile`.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import AsyncGenerator

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources import inflate
from dafre_fast.sources.archives.cursor import Cursor
from dafre_fast.sources.archives.members import Index, Member, by_key
from dafre_fast.sources.interface import Span
from dafre_fast.sources.manners.effort import Passing

TAIL_BYTES = 1 << 16
"""Bytes read from the end of an archive first: mostly they hold the whole directory."""
_LOCAL_HEADER = struct.Struct("<4s4xH16xHH")
_ENCRYPTED = 1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_NOT_READ = (
    zipfile.BadZipFile,
    NotImplementedError,
    OSError,
    OverflowError,
    struct.error,
    ValueError,
)
"""Exceptions that `zipfile` raises for a damaged directory."""


class NeedMore(Exception):
    """The directory begins earlier: `bytes` from the end of the file are needed."""

    def __init__(self, bytes: int) -> None:
        super().__init__(bytes)
        self.bytes = bytes


def index_of(tail: bytes, total: int, name: str) -> Index:
    """Return the index of an archive of `total` bytes, from its last bytes.

    Of several members with one name the last in the directory counts. Raises NeedMore if those are
    too few, and Refusal BAD_INDEX for other data than a zip archive.
    """
    file = _Tail(tail, total)
    try:
        with zipfile.ZipFile(file) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except _NOT_READ as error:
        raise Refusal(Reason.BAD_INDEX, f"{name}: {error}") from error
    starts = sorted({info.header_offset for info in infos})
    ends = dict(zip(starts, [*starts, end][1:], strict=True))
    members = (
        Member(
            info.filename,
            Span(info.header_offset, ends[info.header_offset]),
            info.file_size,
            crc32=info.CRC,
            unreadable=_unreadable(info),
        )
        for info in infos
        if not info.filename.endswith("/")
    )
    return by_key({member.name: member for member in members}.values())


def _unreadable(info: zipfile.ZipInfo) -> str | None:
    """Return what a member is, if it is none that can be read."""
    if info.flag_bits & _ENCRYPTED:
        return "encrypted"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a symbolic link, which is not followed in a zip archive"
    if info.compress_type not in _METHODS:
        return f"compressed by method {info.compress_type}; only 0 and 8 (deflate) are read"
    return None


class _Tail(io.RawIOBase):
    """A file of `total` bytes of which only the last ones are known."""

    def __init__(self, tail: bytes, total: int) -> None:
        self._file, self._total, self._from = io.BytesIO(tail), total, total - len(tail)
        self._at = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._total)[whence]
        if self._at < 0:
            raise OSError("too short for a zip archive")
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int = -1) -> bytes:
        if self._at < self._from:
            raise NeedMore(self._total - self._at)
        self._file.seek(self._at - self._from)
        data = self._file.read(count)
        self._at += len(data)
        return data


async def unpacked(member: Member, cursor: Cursor) -> AsyncGenerator[bytes]:
    """Yield the bytes of a member. The cursor is at its record.

    Raises Refusal for another method than stored and deflated, Passing for a wrong checksum or
    size.
    """
    header = await cursor.read(_LOCAL_HEADER.size)
    magic, method, name, extra = _LOCAL_HEADER.unpack(header)
    if magic != b"PK\3\4":
        detail = f"{member.name}: no zip header at byte {member.record.start:,}"
        raise Passing(Reason.CORRUPT, detail)
    if method not in _METHODS:
        detail = f"{member.name}: compression method {method}"
        raise Refusal(Reason.UNSUPPORTED_FORMAT, detail)
    await cursor.read(name + extra)
    sums = zlib.crc32(b"")
    size = 0
    pieces = _stored if method == zipfile.ZIP_STORED else _inflated
    async for piece in pieces(member, cursor):
        sums, size = zlib.crc32(piece, sums), size + len(piece)
        yield piece
    if (sums, size) != (member.crc32, member.size):
        raise Passing(Reason.WRONG_HASH, f"{member.name}: CRC-32 is not {member.crc32:08x}")


async def _stored(member: Member, cursor: Cursor) -> AsyncGenerator[bytes]:
    async for piece in cursor.pieces(member.size):
        yield piece


async def _inflated(member: Member, cursor: Cursor) -> AsyncGenerator[bytes]:
    decoder = zlib.decompressobj(-zlib.MAX_WBITS)
    assert member.record.stop is not None
    try:
        async for piece in cursor.pieces(member.record.stop - cursor.at):
            for inflated in inflate.inflated(decoder, piece):
                yield inflated
    except zlib.error as error:
        raise Passing(Reason.CORRUPT, f"{member.name}: {error}") from error
