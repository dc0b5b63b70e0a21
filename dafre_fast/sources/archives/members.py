"""What lies where in an archive: originals by id, and the requests in which they are read."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import EXTENSIONS
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.interface import Span

GAP_BYTES = 1 << 18
"""Up to so much that nobody wants is read along: a request costs more."""
REQUEST_BYTES = 1 << 26

_NAME = re.compile(rf"0*(\d+)\.(?:{'|'.join(EXTENSIONS)})", re.ASCII | re.IGNORECASE)
"""Of an image: what WebDataset keeps beside it, and what Danbooru has besides, is none."""


class Member(NamedTuple):
    """One file of an archive: its `record` (bytes of the archive), and what is known of it."""

    name: str
    record: Span
    size: int
    sha256: str | None = None
    crc32: int | None = None
    """Of zip files, whose record begins with a header and is perhaps deflated."""

    @property
    def extension(self) -> str:
        """Of its name, in lower case."""
        return self.name.rpartition(".")[2].lower()


Index = Mapping[str, Member]
"""Members by key, the decimal id."""


def by_key(members: Iterable[Member]) -> Index:
    """Images that are named by an id, in whatever folder; of two, the first."""
    index: dict[str, Member] = {}
    for member in members:
        if match := _NAME.fullmatch(member.name.rpartition("/")[2]):
            index.setdefault(match[1], member)
    return index


class _Place(msgspec.Struct):
    offset: int
    size: int
    sha256: str | None = None


class _Places(msgspec.Struct):
    files: dict[str, _Place]
    filesize: int | None = None


def read_index(text: bytes, name: str, total: int | None = None) -> Index:
    """Of a tar archive, as the data sets of Danbooru have it: `{"files": {"1.jpg": {"offset": 512,
    "size": 98765, "sha256": "…"}}}`, offset being that of the member's first byte.

    Raises Refusal for another, with `name` and the member, and where it is that of an archive of
    another size than `total`.
    """
    try:
        places = msgspec.json.decode(text, type=_Places)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(Reason.BAD_INDEX, f"{name}: {error}") from error
    if total is not None and places.filesize not in (None, total):
        detail = f"{name}: of an archive of {places.filesize:,} bytes, which has {total:,}"
        raise Refusal(Reason.BAD_INDEX, detail)
    files, end = places.files, 0
    for file, place in sorted(files.items(), key=lambda item: item[1].offset):
        if place.size < 0 or place.offset < end:
            detail = f"{name}: {file!r} at byte {place.offset:,} lies in another or outside"
            raise Refusal(Reason.BAD_INDEX, detail)
        end = place.offset + place.size
        if places.filesize is not None and end > places.filesize:
            detail = f"{name}: {file!r} ends behind the {places.filesize:,} bytes of the archive"
            raise Refusal(Reason.BAD_INDEX, detail)
    return by_key(
        Member(file, Span(place.offset, place.offset + place.size), place.size, place.sha256)
        for file, place in files.items()
    )


def write_index(index: Index, total: int) -> bytes:
    """The same form, of a tar archive of `total` bytes that had none."""
    files = {
        member.name: _Place(member.record.start, member.size, member.sha256)
        for member in index.values()
    }
    return msgspec.json.encode(_Places(files, total))


def coalesce(
    records: Iterable[tuple[Span, Any]], *, gap_bytes: int, request_bytes: int
) -> Iterator[list[Any]]:
    """What goes with neighbouring records, in ascending order, request by request: gaps between
    them are no larger than `gap_bytes`, and a request no longer than `request_bytes`, unless a
    single record is.
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
