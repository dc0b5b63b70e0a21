"""Animated PNG: the first frame where the default image, which other programs show, is none.

PNG, third edition, 4.9 (concepts) and 11.3.6 (acTL, fcTL, fdAT).
"""

import struct
from typing import NamedTuple

import deflate

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders.chunks import OUT_OF_ORDER, are_in_order, chunks
from dafre_fast.pixels.geometry import Rect, Size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NUMBER_BYTES = 4
"""The sequence number that begins fcTL and fdAT."""


class Frame(NamedTuple):
    """A frame as a PNG of its own, and the region of the canvas that it fills."""

    png: bytes
    rect: Rect
    canvas: Size


def hidden_frame(data: bytes) -> Frame | None:
    """Return the first frame of an animation whose default image is none; None for any other PNG.

    Raises Refusal (CORRUPT or TRUNCATED) if such an animation is damaged.
    """
    if not _has_hidden_frame(data):
        return None
    found = list(chunks(data, checked=True))
    names = [name for name, _ in found]
    if not are_in_order(names):
        raise Refusal(Reason.CORRUPT, OUT_OF_ORDER)
    canvas = Size(*struct.unpack(">II", found[0][1][:8]))
    begin = names.index(b"fcTL")
    end = names.index(b"fcTL", begin + 1) if b"fcTL" in names[begin + 1 :] else len(names)
    rect = _region(bytes(found[begin][1]), canvas)
    shared = [(name, body) for name, body in found[1 : names.index(b"IDAT")] if name != b"acTL"]
    pixels = [(b"IDAT", body[_NUMBER_BYTES:]) for name, body in found[begin:end] if name == b"fdAT"]
    first = (b"IHDR", struct.pack(">II", *rect.size) + found[0][1][8:])
    parts = [first, *shared, *pixels, (b"IEND", b"")]
    return Frame(
        _SIGNATURE + b"".join(_chunk(name, bytes(body)) for name, body in parts), rect, canvas
    )


def _has_hidden_frame(data: bytes) -> bool:
    """Return True if acTL announces frames, and the first fcTL is behind the default image."""
    announced = seen_pixels = False
    for name, body in chunks(data, checked=False):
        if name == b"acTL" and not seen_pixels:
            announced = int.from_bytes(body[:4]) > 0
        elif name == b"fcTL":
            return announced and seen_pixels
        elif name == b"IDAT":
            if not announced:
                return False
            seen_pixels = True
    return False


def _region(control: bytes, canvas: Size) -> Rect:
    """Return the region of the frame that an fcTL begins. Raises Refusal (CORRUPT)."""
    if len(control) != 26:
        raise Refusal(Reason.CORRUPT, f"an fcTL chunk of {len(control)} bytes")
    width, height, left, top = struct.unpack(">4x4I", control[:20])
    if not (0 < width <= canvas.width - left and 0 < height <= canvas.height - top):
        raise Refusal(Reason.CORRUPT, "the first frame is not within the picture")
    return Rect(left, top, left + width, top + height)


def _chunk(name: bytes, body: bytes) -> bytes:
    named = name + body
    return struct.pack(">I", len(body)) + named + struct.pack(">I", deflate.crc32(named))
