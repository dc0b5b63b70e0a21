"""AVIF and HEIC: the boxes of the file, walked to its end (ISO/IEC 14496-12, 4.2)."""

from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

_BOXES = {b"ftyp", b"styp", b"meta", b"mdat", b"moov", b"moof", b"free", b"skip", b"uuid", b"wide"}
"""Boxes that a file consists of; what begins otherwise is no part of it."""


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
