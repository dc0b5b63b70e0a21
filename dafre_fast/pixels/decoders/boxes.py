"""The boxes of AVIF and HEIC files: the end of a file, and the colours of the picture shown.

Boxes: ISO/IEC 14496-12, 4.2 and 8.11; properties of items: ISO/IEC 23008-12, 9.3.
"""

from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

Box = tuple[bytes, memoryview]
"""Name and body."""

_BOXES = {b"ftyp", b"styp", b"meta", b"mdat", b"moov", b"moof", b"free", b"skip", b"uuid", b"wide"}
"""Boxes that a file consists of; what begins otherwise is no part of it."""

_NOTHING = memoryview(b"")
_HEAD = 4
"""Bytes of version and flags at the beginning of a full box."""
_WIDE = 1
"""The bit of `ipma`'s flags that says that its indices have two bytes."""


class CodePoints(NamedTuple):
    """Colours by numbers of H.273."""

    primaries: int
    transfer: int


def flaw(data: bytes | mmap) -> Refusal | None:
    """Return a Refusal (TRUNCATED) if the file ends within a box, or before its pixels; else None.

    Bytes behind the boxes do not count.
    """
    at, names = 0, set[bytes]()
    while (name := data[at + 4 : at + 8]) in _BOXES:
        names.add(name)
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        # A size of 0 is up to the end of the file.
        at = at + max(size, 8) if size else len(data)
    if at > len(data) or b"mdat" not in names:
        return Refusal(Reason.TRUNCATED, "the file ends within its boxes")
    return None


def profile(data: bytes) -> bytes | None:
    """Return the profile of the code points of a file, for RGB; None if they say sRGB or there are
    none, empty if they are not known.
    """
    from dafre_fast.pixels import profiles  # and NumPy, which an end needs not

    points = code_points(data)
    return points and profiles.of_code_points(*points)


def code_points(data: bytes) -> CodePoints | None:
    """Return the code points of the primary item (its `colr` of kind `nclx`); None if it has none.

    Whatever is damaged is taken for absent: decoders judge files.
    """
    meta = dict(_boxes(_first(_boxes(memoryview(data)), b"meta")[_HEAD:]))
    properties = list(_boxes(meta.get(b"iprp", _NOTHING)))
    shared = list(_boxes(_first(properties, b"ipco")))
    primary = _primary(meta.get(b"pitm", _NOTHING))
    for index in _associated(_first(properties, b"ipma"), primary):
        name, body = shared[index - 1] if 0 < index <= len(shared) else (b"", _NOTHING)
        if name == b"colr" and bytes(body[:4]) == b"nclx" and len(body) >= 8:
            return CodePoints(_number(body[4:6]), _number(body[6:8]))
    return None


def is_sequence_alone(data: bytes) -> bool:
    """Return True for a file of moving pictures (`moov`) without a still one (`meta`)."""
    names = {name for name, _ in _boxes(memoryview(data))}
    return b"moov" in names and b"meta" not in names


def _boxes(view: memoryview) -> Iterator[Box]:
    """Yield name and body of each box up to the first one that cannot be."""
    at = 0
    while at + 8 <= len(view):
        size, begin = _number(view[at : at + 4]), at + 8
        if size == 1:  # the size follows the name
            size, begin = _number(view[at + 8 : at + 16]), at + 16
        end = len(view) if size == 0 else at + size
        if end < begin:
            return
        yield bytes(view[at + 4 : at + 8]), view[begin:end]
        at = end


def _first(boxes: Iterable[Box], name: bytes) -> memoryview:
    """Return the body of the first box of this name; an empty one if there is none."""
    return next((body for found, body in boxes if found == name), _NOTHING)


def _primary(body: memoryview) -> int:
    """Return the number of the primary item from `pitm`."""
    return _number(body[_HEAD : _HEAD + (4 if _number(body[:1]) else 2)])


def _associated(body: memoryview, item: int) -> Iterator[int]:
    """Yield the indices, from 1, of the properties of an item, from `ipma`."""
    id_bytes = 4 if _number(body[:1]) else 2
    index_bytes = 2 if _number(body[1:_HEAD]) & _WIDE else 1
    at = _HEAD + 4
    for _ in range(_number(body[_HEAD:at])):
        begin = at + id_bytes + 1
        if begin > len(body):
            return
        end = begin + body[begin - 1] * index_bytes
        if _number(body[at : begin - 1]) == item:
            for place in range(begin, end, index_bytes):
                index = _number(body[place : place + index_bytes])
                # The highest bit says whether a reader must understand the property.
                yield index & ~(1 << 8 * index_bytes - 1)
        at = end


def _number(part: memoryview) -> int:
    return int.from_bytes(part, "big")
