"""GIF: the size, the first frame, and the blocks up to the trailer (GIF89a, 15 to 27)."""

from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.geometry import Rect, Size

_SCREEN_END = 13
_EXTENSION, _IMAGE = 0x21, 0x2C
_INTERLACED = 0x40
_PASSES = ((0, 8), (4, 8), (2, 4), (1, 2))
"""First row and step of each pass of an interlaced frame (appendix E)."""
_EMPTY, _TRAILER = b"\0", b";"


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
    at = _behind_extensions(data, _SCREEN_END + _palette_bytes(data, 10))
    if at + 9 >= len(data) or data[at] != _IMAGE:
        raise Refusal(Reason.CORRUPT_HEADER, "no frame")
    left, top = _number(data, at + 1), _number(data, at + 3)
    width, height = _number(data, at + 5), _number(data, at + 7)
    if not width or not height:
        raise Refusal(Reason.CORRUPT_HEADER, f"a first frame of {width} x {height} pixels")
    return Rect(left, top, left + width, top + height)


def first_codes(data: bytes | mmap) -> int:
    """Return where the coded data of the first frame begins: the size of the smallest code, then
    sub-blocks. The end of the file if there is no frame.
    """
    at = _behind_extensions(data, _SCREEN_END + _palette_bytes(data, 10))
    is_frame = at + 9 < len(data) and data[at] == _IMAGE
    return min(_codes(data, at), len(data)) if is_frame else len(data)


def order_of_rows(data: bytes) -> list[int]:
    """Return the rows of the first frame in the order in which they are coded."""
    height = first_frame(data).size.height
    at = _behind_extensions(data, _SCREEN_END + _palette_bytes(data, 10))
    passes = _PASSES if data[at + 9] & _INTERLACED else ((0, 1),)
    return [row for begin, step in passes for row in range(begin, height, step)]


def alone(data: bytes) -> bytes:
    """Return the file with nothing behind its first frame but a trailer, and its sub-blocks ended
    if the file breaks off within them.
    """
    at = begin = first_codes(data) + 1
    while at < len(data) and data[at]:
        begin, at = at, at + 1 + data[at]
    if at <= len(data):
        return data[:at] + _EMPTY + _TRAILER
    last = data[begin + 1 :]
    return data[:begin] + bytes([len(last)]) * bool(last) + last + _EMPTY + _TRAILER


def flaw(data: bytes | mmap) -> Refusal | None:
    """Return what is wrong with the blocks up to the trailer, None if nothing is.

    The reason is TRUNCATED if the file ends before the trailer, else CORRUPT.
    """
    at = _SCREEN_END + _palette_bytes(data, 10)
    while at < len(data) and data[at] in (_IMAGE, _EXTENSION):
        if data[at] == _IMAGE:
            at = _behind_blocks(data, _codes(data, at) + 1)
        else:
            at = _behind_blocks(data, at + 2)
    if at >= len(data):
        return Refusal(Reason.TRUNCATED, "the file has no trailer")
    if data[at] == _TRAILER[0]:
        return None
    return Refusal(Reason.CORRUPT, f"a block 0x{data[at]:02x} that does not exist")


def _codes(data: bytes | mmap, at: int) -> int:
    """Return where the coded data of the frame at `at` begins."""
    return at + 10 + _palette_bytes(data, at + 9)


def _behind_extensions(data: bytes | mmap, at: int) -> int:
    while at < len(data) and data[at] == _EXTENSION:
        at = _behind_blocks(data, at + 2)
    return at


def _behind_blocks(data: bytes | mmap, at: int) -> int:
    """Return the end of the sub-blocks at `at`, each after its length; an empty one ends them."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _palette_bytes(data: bytes | mmap, flags_at: int) -> int:
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
