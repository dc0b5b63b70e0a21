"""The segments of a JPEG file: walked, checked for an end, and repaired.

Markers and their numbers: ITU-T T.81, table B.1.
"""

import re
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2
"""Frame headers: baseline, extended sequential, progressive."""
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""All frame headers."""
EOI, SOS, DQT, APP0, APP1, APP2, APP14 = 0xD9, 0xDA, 0xDB, 0xE0, 0xE1, 0xE2, 0xEE
END = bytes([0xFF, EOI])
SCAN = bytes([0xFF, SOS])

_SEQUENTIAL = {SOF0, SOF1, 0xC9}
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
"""The begin of a segment. Fill bytes are skipped, and so is what has no length: SOI, TEM, and the
restart markers and stuffed zeros of coded data.
"""
_YCC, _YCCK = 1, 2
"""Values of Adobe's transform other than 0 (T.872, 6.5.3)."""
_WHOLE_BLOCKS = bytes([0, 63, 0])
"""Spectral selection and successive approximation of a sequential scan (B.2.3)."""


class Segment(NamedTuple):
    """One marker with its parameters: `data[start:end]`. A scan's coded data follows its end."""

    marker: int
    body: bytes
    """The parameters, without marker and length; fewer than the length says if the file ends."""
    start: int
    end: int


def segments(data: bytes, until: int = EOI) -> Iterator[Segment]:
    """Yield the segments up to the first one of marker `until`, EOI, or the end of the file.

    Bytes between segments are skipped. Coded data is searched only when the segment after a scan
    header is asked for.
    """
    at = 2
    while found := _SEGMENT.search(data, at):
        start = found.start()
        marker, at = data[start + 1], start + 2
        if marker != EOI:
            at += max(int.from_bytes(data[at : at + 2], "big"), 2)
        yield Segment(marker, data[start + 4 : at], start, at)
        if marker in (until, EOI):
            return


def ends_early(data: bytes | mmap) -> bool:
    """Return True if no EOI follows the last scan header."""
    end = data.rfind(END)
    return end < 0 or data.find(SCAN, end) >= 0


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
