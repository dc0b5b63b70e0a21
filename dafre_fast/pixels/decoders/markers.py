"""The segments of a JPEG file: walked, checked for an end, and repaired.

Whatever stands behind the end marker (a film, a second picture, an archive, the trailer of a
camera) is no part of the picture and is never looked at. Markers and their numbers: ITU-T T.81,
table B.1.
"""

import re
from collections.abc import Iterator
from itertools import islice
from mmap import mmap
from typing import NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2
"""Frame headers: baseline, extended sequential, progressive."""
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""All frame headers."""
SOI, EOI, SOS, DHT, DQT, DRI = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD
APP0, APP1, APP2, APP14, COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
END = bytes([0xFF, EOI])

_SEQUENTIAL = {SOF0, SOF1, 0xC9}
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
"""The begin of a segment, or SOI. Fill bytes are skipped, and so is what else has no length: TEM,
and the restart markers and stuffed zeros of coded data.
"""
_MARKER = re.compile(rb"\xff[^\x00\xff]")
"""Any marker within coded data, restart markers too."""
_RESTART = re.compile(rb"\xff[\xd0-\xd7\xd9]")
"""A restart marker, or EOI."""
_YCC, _YCCK = 1, 2
"""Values of Adobe's transform other than 0 (T.872, 6.5.3)."""
_WHOLE_BLOCKS = bytes([0, 63, 0])
"""Spectral selection and successive approximation of a sequential scan (B.2.3)."""
_BEHIND_A_SCAN = {DHT, 0xCC, 0xDC, COM, SOS, DQT, DRI, EOI, *range(0xE0, 0xF0)}
"""Markers that may follow the coded data of a scan: tables, comments, the next scan, the end."""
_MOST_SEGMENTS = 100_000
"""Segments that are walked at most: files have a few hundred, and those that mean ill millions."""


class Segment(NamedTuple):
    """One marker with its parameters: `data[start:end]`. A scan's coded data follows its end."""

    marker: int
    body: bytes
    """The parameters, without marker and length; fewer than the length says if the file ends."""
    start: int
    end: int


_BEGIN = Segment(0, b"", 0, 2)
"""SOI, as if it were a segment."""


def segments(data: bytes | mmap, until: int = EOI) -> Iterator[Segment]:
    """Yield the segments up to the first one of marker `until`, EOI, or the end of the file.

    Bytes between segments are skipped. Coded data is searched only when the segment after a scan
    header is asked for. An SOI behind a scan is yielded too: it begins another picture.
    """
    at, scanned = 2, False
    while found := _SEGMENT.search(data, at):
        start = found.start()
        marker, at = data[start + 1], start + 2
        scanned |= marker == SOS
        if marker == SOI and not scanned:
            continue
        if marker not in (SOI, EOI):
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
        yield Segment(marker, data[start + 4 : at], start, at)
        if marker in (until, EOI):
            return


def of_picture(data: bytes | mmap) -> Iterator[Segment]:
    """Yield the segments of the picture: up to EOI, or up to the first marker that cannot follow a
    scan, where the end marker is missing and something else begins.
    """
    behind_a_scan = False
    for part in islice(segments(data), _MOST_SEGMENTS):
        yield part
        if behind_a_scan and part.marker not in _BEHIND_A_SCAN:
            return
        behind_a_scan |= part.marker == SOS


def flaw(data: bytes | mmap) -> Refusal | None:
    """Return what is wrong with the segments of the picture, None if nothing is.

    No coded data is decoded. The reason is TRUNCATED if the file ends without an EOI, else CORRUPT.
    """
    stray, scanned, last = False, False, _BEGIN
    for part in of_picture(data):
        stray |= last.marker != SOS and data[last.end : part.start].strip(b"\xff") != b""
        scanned |= last.marker == SOS
        last = part
    if last.marker == EOI:
        return Refusal(Reason.CORRUPT, "bytes between segments") if stray else None
    if scanned and last.marker not in _BEHIND_A_SCAN:
        return Refusal(Reason.CORRUPT, f"a marker 0x{last.marker:02x} within coded data")
    return Refusal(Reason.TRUNCATED, "the file has no end marker")


def ended(data: bytes) -> bytes:
    """Return the picture alone, with an EOI.

    Zeros before the EOI are left out: they fill files that were never written to their end. So are
    fill bytes, and half a marker.
    """
    *others, last = [_BEGIN, *of_picture(data)]
    odd = last.marker not in _BEHIND_A_SCAN and any(part.marker == SOS for part in others)
    picture = data[: last.start] if odd or last.marker == EOI else data
    coded = picture.rstrip(b"\0")
    if coded.endswith(b"\xff"):  # a stuffed zero belongs to the data
        coded = coded.rstrip(b"\xff") if coded == picture else coded + b"\0"
    return coded + END


def renumbered(data: bytes) -> bytes | None:
    """Return the file with its restart markers, and markers within coded data that no file has
    there, numbered in order (E.1.4); None if it has no damaged ones.
    """
    fixed, number = bytearray(data), 0
    parts = {part.marker: part for part in segments(data, until=SOS)}
    if not {DRI, SOS} <= {*parts}:
        return None
    at = parts[SOS].end
    while (found := _MARKER.search(data, at)) and (marker := data[found.end() - 1]) != EOI:
        at = found.end()
        if marker in _BEHIND_A_SCAN:
            at += int.from_bytes(data[at : at + 2], "big")
            number = 0 if marker == SOS else number
        else:
            fixed[at - 1] = 0xD0 + number % 8
            number += 1
    return bytes(fixed) if fixed != data else None


class Gap(NamedTuple):
    """A restart marker that is missing, and the place of the one after it."""

    marker: bytes
    at: int


def gap(data: bytes) -> Gap | None:
    """Return the first restart marker that the scan of a sequential file misses, or one that may
    be missing before its EOI; None if the file has no restart interval.
    """
    parts = {part.marker: part for part in segments(data, until=SOS)}
    if not {DRI, SOS} <= {*parts}:
        return None
    for number, found in enumerate(_RESTART.finditer(data, parts[SOS].end)):
        if found[0] == END or found[0][1] & 7 != number & 7:
            return Gap(bytes([0xFF, 0xD0 | number & 7]), found.start())
    return None


def repaired(data: bytes) -> bytes:
    """Return the file with a header that gives decoders nothing to warn of that is no damage.

    Removed are bytes between segments; corrected are JFIF versions and Adobe transforms that do not
    exist, and parameters of progression in a sequential scan. None of them decides a pixel.
    """
    parts = list(segments(data, until=SOS))
    frame = next((one for one in parts if one.marker in FRAMES and len(one.body) > 5), None)
    end = parts[-1].end if parts else len(data)
    return b"".join([data[:2], *(_corrected(one, data, frame) for one in parts), data[end:]])


def _corrected(segment: Segment, data: bytes, frame: Segment | None) -> bytes:
    marker, body, start, end = segment
    part = bytearray(data[start:end])
    if marker == APP0 and body.startswith(b"JFIF\0") and len(body) > 5:
        part[9] = 1
    elif marker == APP14 and body.startswith(b"Adobe") and len(body) > 11 and body[11]:
        part[15] = _YCCK if frame and frame.body[5] == 4 else _YCC
    elif marker == SOS and frame and frame.marker in _SEQUENTIAL and len(body) > 3:
        part[-3:] = _WHOLE_BLOCKS
    return bytes(part)
