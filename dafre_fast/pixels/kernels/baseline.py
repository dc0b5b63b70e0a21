"""Baseline JPEG: one pass over the coded data gives the picture at a reduced scale and a region of
it at full scale, as libjpeg-turbo decodes them, to the last bit.

One look at BITS bits tells up to two coefficients, run, size and value (ITU-T T.81, F.2.2), which
takes two thirds of libjpeg-turbo's time for coded data, on pictures of 1 to 3 bits per pixel.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.rasters import Pixels

BITS = 11
"""Bits of coded data that a table is asked with. 10 are slower, 12 are no faster."""
END_OF_BLOCK = 128
"""An advance that ends a block."""
ENTRIES = 1 << BITS
LENGTHS = ENTRIES
"""Where the limits of codes stand in a table, two numbers for each length."""
SYMBOLS = LENGTHS + 2 * 17
CODES = SYMBOLS + 256
"""Where the codes that `fill` makes the entries of stand in a table."""
_TABLE = CODES + ENTRIES
MARGIN = 2048
"""Bytes behind coded data; damaged data is read on for less before that is noticed."""
AT_ONCE = 16
"""Pixels that are converted at once; others behind a row may be read and written with it."""
_ROOM = 3 * AT_ONCE
_SIDE = 8
_ZIGZAG = (
    *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48),
    *(41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23),
    *(30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63),
)
"""The places of coefficients in a block, row by row (T.81, figure A.6)."""
_NATURAL = np.full(2 * END_OF_BLOCK, 64, np.int64)
"""The same with a place to be ignored for all that come after a block."""
_NATURAL[:64] = _ZIGZAG

_SOURCE = f"{__package__}.compiled.baseline"
_UNSTUFF = Kernel(f"{_SOURCE}:unstuff", "int64(uint8[::1], int64, uint8[::1], int64[::1])")
_FILL = Kernel(f"{_SOURCE}:fill", "void(int64[::1], uint64[::1])")
_DECODE = Kernel(
    f"{_SOURCE}:decode",
    "boolean(uint8[::1], int64[::1], int64, int64, int64, int64[:, ::1], uint64[:, ::1],"
    " int16[::1], int64[::1], uint64[::1], int64[::1], int16[::1],"
    " uint8[::1], int64, int64, uint8[::1], int64, int64,"
    " int64[::1], uint8[::1], int64, int64)",
)
_CUT = Kernel(
    f"{_SOURCE}:cut",
    "void(uint8[::1], int64, int64, int64, int64, int64, int64, int64, int16[::1], uint8[::1],"
    " int64, int64)",
)


class Component(NamedTuple):
    """A component of a scan: its tables of codes, and its steps of quantisation in zigzag order."""

    dc: bytes
    """Numbers of codes by their lengths, 16 bytes, and their symbols (T.81, B.2.4.2)."""
    ac: bytes
    steps: bytes


class Scan(NamedTuple):
    """The only scan of a baseline file, and what has to be known to decode it."""

    size: Size
    components: Sequence[Component]
    """Grey, or Y, Cb and Cr."""
    halved: bool
    """True if chroma has half the width and height (4:2:0); else it has all (4:4:4)."""
    interval: int
    """Number of MCUs in a restart interval; 0 for none."""
    begin: int
    """Where the coded data begins in the file."""


def decode(
    data: bytes, scan: Scan, eighths: int, rect: Rect | None
) -> tuple[Pixels | None, Pixels | None] | None:
    """Decode the picture at `eighths` / 8 of its size, rounded up (1, 2 or 4; 0 for none), and
    `rect`, a region of it at full size: RGB uint8 (height, width, 3).

    Returns None if there is the least doubt that all of the data is sound and ends the file.
    """
    side = 16 if scan.halved else _SIDE
    across, down = (-(-length // side) for length in scan.size)
    interval = scan.interval or across * down
    ends = np.empty(-(-across * down // interval), np.int64)
    clean = np.empty(len(data) - scan.begin + MARGIN, np.uint8)
    coded = np.frombuffer(data, np.uint8)
    end = _UNSTUFF(coded, scan.begin, clean, ends)
    if data[end : end + 2] != b"\xff\xd9":
        return None
    clean = clean[: ends[-1] + MARGIN]
    tables = np.stack([_table(one) for part in scan.components for one in (part.dc, part.ac)])
    components = np.array(
        [
            (*((2, 2) if scan.halved and c == 0 else (1, 1)), 2 * c, 2 * c + 1, eighths)
            for c in range(len(scan.components))
        ]
    )
    if scan.halved:
        components[1:, 4] *= 2
    steps = np.zeros((len(scan.components), 64), np.int16)
    for row, part in zip(steps, scan.components, strict=True):
        row[list(_ZIGZAG)] = list(part.steps)
    # reduced
    width, height = (-(-length * eighths // 8) for length in scan.size)
    rows = side * eighths // 8
    pitch = across * rows + _ROOM
    strip = np.full(3 * rows * pitch + _ROOM, 128, np.uint8)
    pixels = np.empty(3 * width * height + _ROOM, np.uint8)
    # region
    window, last = _window(scan, rect, side)
    rw, rh = window[2] - window[0], window[3] - window[1]
    rpitch = rw * side + _ROOM
    rplane = rh * side * rpitch
    planes = np.empty(3 * rplane + 2 * rpitch + _ROOM, np.uint8)
    if len(scan.components) == 1:
        planes[rplane:] = 128
    sound = _DECODE(
        clean, ends, interval, across, down, components, tables,
        steps.reshape(-1), _NATURAL, np.zeros(3, np.uint64), np.zeros(3, np.int64), np.zeros(80, np.int16),
        strip, rows, pitch, pixels, width, height,
        np.array(window), planes, rplane, rpitch,
    )
    if not sound:
        return None
    reduced = pixels[: 3 * width * height].reshape(height, width, 3) if eighths else None
    if rect is None:
        return reduced, None
    size = rect.size
    out = np.empty(3 * size.width * size.height + _ROOM, np.uint8)
    sums = np.empty(rpitch + 2 * _ROOM, np.int16)
    _CUT(planes, rplane, rpitch, rect.left - window[0] * side, rect.top - window[1] * side,
         scan.halved, last[0], last[1], sums, out, size.width, size.height)
    return reduced, out[: 3 * size.width * size.height].reshape(size.height, size.width, 3)


def _window(scan, rect, side):
    if rect is None:
        return (0, 0, 0, 0), (0, 0)
    if not scan.halved:
        return (rect.left // 8, rect.top // 8, (rect.right + 7) // 8, (rect.bottom + 7) // 8), (0, 0)
    cw, ch = (-(-length // 2) for length in scan.size)
    c0, r0 = max((rect.left >> 1) - 1, 0), max((rect.top >> 1) - 1, 0)
    c1, r1 = min(((rect.right - 1) >> 1) + 1, cw - 1), min(((rect.bottom - 1) >> 1) + 1, ch - 1)
    window = (c0 // 8, r0 // 8, c1 // 8 + 1, r1 // 8 + 1)
    return window, (cw - 1 - 8 * window[0], ch - 1 - 8 * window[1])


@lru_cache(64)
def _table(codes: bytes) -> NDArray[np.uint64]:
    """Return what the kernel reads codes with."""
    table = np.zeros(_TABLE, np.uint64)
    symbols = np.frombuffer(codes[16:], np.uint8)
    table[SYMBOLS : SYMBOLS + symbols.size] = symbols
    _FILL(np.frombuffer(codes[:16], np.uint8).astype(np.int64), table)
    return table
