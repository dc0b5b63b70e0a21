"""GIF: the size, the region of the first frame, and the trailer (GIF89a, 18, 20, 23 to 27)."""

from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.geometry import Rect, Size

_SCREEN_END = 13
_EXTENSION, _IMAGE = 0x21, 0x2C
_TRAILER = b";"


def screen(data: bytes) -> Size:
    """Return width and height as browsers do: the screen, enlarged if the first frame is larger.

    Raises Refusal as `first_frame` does.
    """
    frame = first_frame(data)
    return Size(max(_number(data, 6), frame.right), max(_number(data, 8), frame.bottom))


def first_frame(data: bytes) -> Rect:
    """Return the region of the first frame, which may reach beyond the screen.

    Raises Refusal (CORRUPT_HEADER) if there is no frame, or one of no pixels.
    """
    at = _SCREEN_END + _palette_bytes(data, 10)
    while at < len(data) and data[at] == _EXTENSION:
        at += 2
        while at < len(data) and data[at]:  # sub-blocks, each after its length; an empty one ends
            at += 1 + data[at]
        at += 1
    if at + 9 >= len(data) or data[at] != _IMAGE:
        raise Refusal(Reason.CORRUPT_HEADER, "no frame")
    left, top = _number(data, at + 1), _number(data, at + 3)
    width, height = _number(data, at + 5), _number(data, at + 7)
    if not width or not height:
        raise Refusal(Reason.CORRUPT_HEADER, f"a first frame of {width} x {height} pixels")
    return Rect(left, top, left + width, top + height)


def ends_early(data: bytes | mmap) -> bool:
    """Return True if neither of the last two bytes is the trailer."""
    return _TRAILER not in data[-2:]


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _palette_bytes(data: bytes, flags_at: int) -> int:
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
