"""TIFF: where the first picture lies, to see whether the file reaches its end (TIFF 6.0, 2)."""

import struct
from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

_OFFSETS, _COUNTS = {273, 324}, {279, 325}
"""Tags of the places and sizes in bytes of strips and tiles."""
_FORMATS = {3: "H", 4: "I"}
"""Letters of `struct` for the types of numbers that these have: SHORT and LONG."""


def flaw(data: bytes | mmap) -> Refusal | None:
    """Return a Refusal (TRUNCATED) if the file ends before its first picture does, None if not, or
    if it is a BigTIFF.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    try:
        ends = map(sum, zip(*_places(data, order), strict=False))
        if max(ends, default=0) <= len(data):
            return None
    except struct.error:  # the directory itself is not there
        pass
    return Refusal(Reason.TRUNCATED, "the file ends before its pixels do")


def _places(data: bytes | mmap, order: str) -> tuple[list[int], list[int]]:
    """Return where each strip or tile begins, and its size. Raises struct.error."""
    offsets, counts = list[int](), list[int]()
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    for entry in range(entries):
        at = directory + 2 + 12 * entry
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        if tag in _OFFSETS | _COUNTS and kind in _FORMATS and count <= len(data):
            numbers = f"{order}{count}{_FORMATS[kind]}"
            if struct.calcsize(numbers) > 4:
                (at,) = struct.unpack_from(f"{order}I", data, at + 8)
            else:
                at += 8
            (offsets if tag in _OFFSETS else counts).extend(struct.unpack_from(numbers, data, at))
    return offsets, counts
