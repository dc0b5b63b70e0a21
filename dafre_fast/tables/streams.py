"""Open files of text as streams of bytes, whether plain, compressed, or members of a tar archive.

The first bytes show what a file is, never its name. Compressed members of archives are unpacked,
too. Everything is read from front to back, so that the size of a file does not matter.
"""

import bz2
import gzip
import lzma
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from dafre_fast.core.errors import InputError
from dafre_fast.tables.row_problems import LONGEST
from dafre_fast.tables.unreadable import reading

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_OPENERS = (
    (b"\x1f\x8b", gzip.open),
    (b"\x28\xb5\x2f\xfd", zstd.open),
    (b"\xfd7zXZ\0", lzma.open),
    (b"BZh", bz2.open),
)
COMPRESSED = tuple(magic for magic, _ in _OPENERS)
"""First bytes of compressed files."""
_UNREADABLE = (EOFError, zlib.error, lzma.LZMAError, zstd.ZstdError, tarfile.TarError)
_HEADER_BYTES = 512
_PIECE_BYTES = 1 << 20


class Readable(Protocol):
    """Anything that bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes: ...


class Stream:
    """A file that is read once; `head`, its first 64 kB, can be looked at before."""

    def __init__(self, file: Readable) -> None:
        self.head = file.read(LONGEST)
        self._file, self._looked_at = file, self.head

    def skip(self, beginning: bytes) -> None:
        """Leave out the first bytes if they are these and nothing was read yet."""
        self.head = self.head.removeprefix(beginning)
        self._looked_at = self.head

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all if it is negative, and none at the end."""
        if not self._looked_at:
            return self._file.read(size)
        end = len(self._looked_at) if size < 0 else size
        first, self._looked_at = self._looked_at[:end], self._looked_at[end:]
        return first + self._file.read(size - len(first) if size >= 0 else size)


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """Open a file, unpacked if it is compressed. Within the block, InputError that names the file
    is raised in place of every error of the system, of a decompressor or of an archive.
    """
    try:
        with reading(path), path.open("rb") as file:
            yield unpacked(Stream(file))
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def unpacked(stream: Stream) -> Stream:
    """Return the content of a compressed stream; any other as it is."""
    for magic, opener in _OPENERS:
        if stream.head.startswith(magic):
            return Stream(cast("Readable", opener(cast("IO[bytes]", stream), "rb")))
    return stream


def is_tar(head: bytes) -> bool:
    """Return whether a file that begins like this is a tar archive, be it an empty one."""
    header = head[:_HEADER_BYTES]
    try:
        tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
        return True
    except tarfile.HeaderError:
        return False
    return True


def members_of(stream: Stream) -> Iterator[tuple[str, Stream]]:
    """Yield the name and content of each file in a tar archive, unpacked if it is compressed.

    Raises tarfile.TarError if the archive is cut off or damaged, or if another one follows it.
    """
    with tarfile.open(
        fileobj=cast("IO[bytes]", stream), mode="r|", bufsize=_PIECE_BYTES, encoding="utf-8"
    ) as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # or else it would keep them all
            if member.isreg() and (file := tar.extractfile(member)):
                yield _printable(member.name), unpacked(Stream(file))
        _check_end(cast("IO[bytes]", tar.fileobj))


def _check_end(archive: IO[bytes]) -> None:
    """Raise tarfile.ReadError unless an archive ends where its members do: tarfile takes half a
    header, and a damaged one, for the end.
    """
    if archive.tell() % _HEADER_BYTES:
        raise tarfile.ReadError("the archive is cut off")
    while rest := archive.read(_PIECE_BYTES):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("the archive is damaged, or another one follows it; unpack it")


def _printable(name: str) -> str:
    return name.encode("utf-8", "replace").decode()
