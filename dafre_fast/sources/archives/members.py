"""Members of archives: indexes by the ids of originals, and the requests that read members."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import EXTENSIONS
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.interface import Span

GAP_BYTES = 1 << 18
"""Largest gap between two members of one request: reading it costs less than a request."""
REQUEST_BYTES = 1 << 26
"""Largest request, unless a single member is larger."""

_NAME = re.compile(rf"0*(\d+)\.(?:{'|'.join(EXTENSIONS)})", re.ASCII | re.IGNORECASE)
"""File name of an image. The other files of a WebDataset sample, and videos, do not match."""


class Member(NamedTuple):
    """One file of an archive."""

    name: str
    """Its path in the archive."""
    record: Span
    """Its bytes in the archive. In a zip archive they begin with a header and may be deflated."""
    size: int
    """Bytes of the file itself."""
    sha256: str | None = None
    """Hexadecimal digits, if an index has them."""
    crc32: int | None = None
    """Checksum of a member of a zip archive; None for members of tar archives."""
    unreadable: str | None = None
    """Its kind, if it cannot be read: a sparse file, an encrypted one."""

    @property
    def extension(self) -> str:
        """Extension of its name, in lower case, without the dot."""
        return self.name.rpartition(".")[2].lower()


Index = Mapping[str, Member]
"""Members by key, the decimal id."""


def by_key(members: Iterable[Member]) -> Index:
    """Return the images that are named by an id, in any folder; the first if an id has several."""
    index: dict[str, Member] = {}
    for member in members:
        if match := _NAME.fullmatch(member.name.rpartition("/")[2]):
            index.setdefault(match[1], member)
    return index


class NoIndex(Refusal):
    """The text is no index at all, but something else beside an archive."""


class _Place(msgspec.Struct, omit_defaults=True):
    offset: int
    size: int
    sha256: str | None = None
    unreadable: str | None = None


class _Places(msgspec.Struct, omit_defaults=True):
    files: dict[str, _Place]
    filesize: int | None = None


class Read(NamedTuple):
    """An index that was read, and the size in bytes of the archive that it is of, if it says so."""

    members: Index
    archive_bytes: int | None


def read_index(text: bytes, name: str, total: int | None = None) -> Read:
    """Parse the index of a tar archive, in the form of deepghs' indexes of Danbooru data sets.

    The form is `{"filesize": 1048576, "files": {"1.jpg": {"offset": 512, "size": 98765, "sha256":
    "…"}}}`: bytes, with the offset of a member's first byte. `total` is the size of the archive in
    bytes, if known. Members may share all their bytes, as links do. Raises NoIndex, with `name`,
    for other text, and Refusal BAD_INDEX for members that overlap, and for the index of an archive
    of another size.
    """
    try:
        places = msgspec.json.decode(text, type=_Places)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoIndex(Reason.BAD_INDEX, f"{name}: {error}") from error
    if total is not None and places.filesize not in (None, total):
        detail = f"{name}: for an archive of {places.filesize:,} bytes, but it has {total:,}"
        raise Refusal(Reason.BAD_INDEX, detail)
    files, begin, end = places.files, 0, 0
    for file, place in sorted(files.items(), key=lambda item: (item[1].offset, item[1].size)):
        same = (begin, end) == (place.offset, place.offset + place.size)
        if place.size < 0 or (place.offset < end and not same):
            detail = f"{name}: {file!r} at byte {place.offset:,} overlaps another or is outside"
            raise Refusal(Reason.BAD_INDEX, detail)
        begin, end = place.offset, place.offset + place.size
        if places.filesize is not None and end > places.filesize:
            detail = f"{name}: {file!r} ends after the archive's {places.filesize:,} bytes"
            raise Refusal(Reason.BAD_INDEX, detail)
    members = (
        Member(
            file,
            Span(place.offset, place.offset + place.size),
            place.size,
            place.sha256,
            unreadable=place.unreadable,
        )
        for file, place in files.items()
    )
    return Read(by_key(members), places.filesize)


def write_index(index: Index, total: int) -> bytes:
    """Return the index of a tar archive of `total` bytes, in the form that `read_index` parses."""
    files = {
        member.name: _Place(member.record.start, member.size, member.sha256, member.unreadable)
        for member in index.values()
    }
    return msgspec.json.encode(_Places(files, total))


def coalesce(
    records: Iterable[tuple[Span, Any]], *, gap_bytes: int, request_bytes: int
) -> Iterator[list[Any]]:
    """Group neighbouring records into requests; yield what goes with the records of each.

    The records of a request ascend by their start. Gaps between them are at most `gap_bytes`, and a
    request is at most `request_bytes` long, unless a single record is longer.
    """
    request: list[Any] = []
    start = end = 0
    for span, what in sorted(records, key=lambda record: record[0].start):
        stop = span.start if span.stop is None else span.stop
        if request and (span.start - end > gap_bytes or stop - start > request_bytes):
            yield request
            request = []
        if not request:
            start = span.start
        request.append(what)
        end = stop
    if request:
        yield request
