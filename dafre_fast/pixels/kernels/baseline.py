"""Baseline JPEG: one pass over the coded data gives the picture at a reduced scale, and a region of
it at full scale, as libjpeg-turbo decodes them, to the last bit.

One look at BITS bits tells up to two coefficients, run, size and value (ITU-T T.81, F.2.2), which
halves the number of steps that wait for one another.
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
"""Bits of coded data that are looked at."""
END_OF_BLOCK = 128
"""An advance that ends a block."""
LENGTHS = 1 << BITS
"""Place of two numbers for each length of a code in a table, behind an entry for all BITS."""
SYMBOLS = LENGTHS + 2 * 17
_TABLE = SYMBOLS + 256
BLOCK = 64
"""Coefficients of a block. One more takes what is to be ignored."""
_MOST_BLOCKS = 6
"""Blocks of an MCU."""
MARGIN = 2048
"""Bytes behind coded data: more than an MCU has, so that damage is noticed before they end."""
AT_ONCE = 16
"""Pixels that are converted at once; what stands behind a row may be overwritten."""
RUN = 32
"""Bytes of coded data that are copied at once."""
_ROOM = 3 * AT_ONCE
_SIDE, _WHOLE = 8, 8
_GREY = 128
_END = b"\xff\xd9"
_ZIGZAG = np.array(
    [
        *(0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48),
        *(41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23),
        *(30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63),
    ]
)
"""The places of coefficients in a block, row by row (T.81, figure A.6)."""
_PLACES = np.full(2 * END_OF_BLOCK, BLOCK, np.uint64)
"""The same, and the place to be ignored for all that come after them."""
_PLACES[:BLOCK] = _ZIGZAG

_SOURCE = f"{__package__}.compiled.baseline"
_UNSTUFF = Kernel(f"{_SOURCE}:unstuff", "int64(uint8[::1], int64, uint8[::1], int64[::1])")
_FILL = Kernel(f"{_SOURCE}:fill", "void(int64[::1], uint64[::1], uint64[::1])")
_DECODE = Kernel(
    f"{_SOURCE}:decode",
    "boolean(uint8[::1], int64[::1], int64, int64, int64,"
    " int64[:, ::1], uint64[:, ::1], int16[::1], uint64[::1],"
    " uint64[::1], int64[::1], int16[::1], uint64[::1],"
    " uint8[::1], int64[:, ::1], int64, uint8[::1], int64, int64)",
)
_CUT = Kernel(
    f"{_SOURCE}:cut",
    "void(uint8[::1], int64, int64, int64, int64, int64, int64, int64, int16[::1], uint8[::1],"
    " int64, int64)",
)


class Component(NamedTuple):
    """A component of a scan."""

    dc: bytes
    """The codes of first coefficients: how many have each length, 16 bytes, and their symbols
    (T.81, B.2.4.2)."""
    ac: bytes
    """The codes of all others."""
    steps: bytes
    """The steps of quantisation in zigzag order."""


class Scan(NamedTuple):
    """The only scan of a baseline file, and what has to be known to decode it."""

    size: Size
    components: Sequence[Component]
    """Grey, or Y, Cb and Cr."""
    halved: bool
    """True if chroma has half the width and height (4:2:0), and not all (4:4:4)."""
    interval: int
    """Number of MCUs between restart markers; 0 if there are none."""
    begin: int
    """Offset of the coded data in the file."""

    @property
    def side(self) -> int:
        """Width and height of an MCU in pixels."""
        return 2 * _SIDE if self.halved else _SIDE

    @property
    def mcus(self) -> Size:
        """Number of MCUs across and down."""
        return Size(*(-(-length // self.side) for length in self.size))


class Parts(NamedTuple):
    """Decoded parts of a picture: RGB uint8 (height, width, 3); no pixels if one is not wanted."""

    reduced: Pixels
    """The picture at a reduced scale."""
    region: Pixels
    """A part of it at full scale."""


class _Target(NamedTuple):
    """Room for samples: planes of three components, and behind them room for two rows."""

    begin: int
    """Offset of the samples in an array."""
    plane: int
    """Bytes of a component."""
    pitch: int
    """Bytes of a row."""
    window: Rect
    """The MCUs that are written."""

    @property
    def end(self) -> int:
        return self.begin + 3 * self.plane + 2 * self.pitch + _ROOM


def decode(data: bytes, scan: Scan, eighths: int, rect: Rect) -> Parts | None:
    """Decode the picture at `eighths` / 8 of its size, rounded up (1, 2 or 4; 0 for not at all),
    and the region `rect` at full size (an empty one for none).

    Returns None unless all of the data is sound and the picture ends with it.
    """
    found = _unstuffed(data, scan)
    if found is None:
        return None
    stream, intervals = found
    across, down = scan.mcus
    row = Rect(0, 0, across if eighths else 0, 1)
    strip = _target(0, row, scan.side * eighths // _WHOLE)
    region = _target(strip.end, _window(scan, rect), scan.side)
    samples = np.empty(region.end, np.uint8)
    if len(scan.components) == 1:
        samples[:] = _GREY
    size = Size(*(-(-length * eighths // _WHOLE) for length in scan.size))
    reduced = _room_for(size)
    sound = _DECODE(
        *(stream, intervals, scan.interval or across * down, across, down),
        *(*_tables(scan, eighths), _PLACES),
        *(np.empty(3, np.uint64), np.empty(3, np.int64)),
        *(np.empty(_MOST_BLOCKS * BLOCK + 1, np.int16), np.empty(_MOST_BLOCKS, np.uint64)),
        *(samples, np.array([[*one[:3], *one.window] for one in (strip, region)])),
        *(scan.side * eighths // _WHOLE, reduced, *size),
    )
    if not sound:
        return None
    return Parts(_shaped(reduced, size), _cut(scan, samples, region, rect))


def _unstuffed(data: bytes, scan: Scan) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """Return coded data without stuffed zeros and restart markers, and where its intervals end;
    None if they are not in order, or no end marker follows them.
    """
    across, down = scan.mcus
    stream = np.empty(len(data) + MARGIN, np.uint8)
    intervals = np.empty(-(-across * down // (scan.interval or across * down)), np.int64)
    end = _UNSTUFF(np.frombuffer(data, np.uint8), scan.begin, stream, intervals)
    if data[end : end + len(_END)] != _END:
        return None
    return stream[: intervals[-1] + MARGIN], intervals


def _room_for(size: Size) -> Pixels:
    return np.empty(3 * size.width * size.height + _ROOM, np.uint8)


def _shaped(pixels: Pixels, size: Size) -> Pixels:
    return pixels[: 3 * size.width * size.height].reshape(size.height, size.width, 3)


def _target(begin: int, window: Rect, side: int) -> _Target:
    """Lay out room for MCUs, `side` x `side` samples of each component."""
    pitch = window.size.width * side + _ROOM
    return _Target(begin, window.size.height * side * pitch, pitch, window)


def _window(scan: Scan, rect: Rect) -> Rect:
    """Return the MCUs that have the samples of a region; halved chroma is spread with one sample
    more on each side.
    """
    if rect.left == rect.right or rect.top == rect.bottom:
        return Rect(0, 0, 0, 0)
    more = 2 if scan.halved else 0
    left, top = (max(edge - more, 0) // scan.side for edge in rect[:2])
    right, bottom = (-(-(edge + more) // scan.side) for edge in rect[2:])
    across, down = scan.mcus
    return Rect(left, top, min(right, across), min(bottom, down))


def _cut(scan: Scan, samples: NDArray[np.uint8], region: _Target, rect: Rect) -> Pixels:
    """Return the pixels of `rect`, whose samples are in `region`."""
    size, pixels = rect.size, _room_for(rect.size)
    sums = np.empty(region.pitch + _ROOM, np.int16)
    origin = region.window[:2]
    left, top = (edge - scan.side * first for edge, first in zip(rect[:2], origin, strict=True))
    last = (
        (length + 1) // 2 - 1 - _SIDE * first
        for length, first in zip(scan.size, origin, strict=True)
    )
    planes = samples[region.begin :], region.plane, region.pitch
    _CUT(*planes, left, top, int(scan.halved), *last, sums, pixels, *size)
    return _shaped(pixels, size)


def _tables(
    scan: Scan, eighths: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int16]]:
    """Return for each component its blocks across and down an MCU, the numbers of its tables, and
    the sides of its blocks in both targets; the tables; and the steps of all components.
    """
    used = tuple(dict.fromkeys(one for part in scan.components for one in (part.dc, part.ac)))
    components = np.empty((len(scan.components), 6), np.int64)
    for number, (part, row) in enumerate(zip(scan.components, components, strict=True)):
        blocks = 2 if scan.halved and number == 0 else 1
        side = eighths * 2 if scan.halved and number > 0 else eighths
        row[:] = blocks, blocks, used.index(part.dc), used.index(part.ac), side, _SIDE
    steps = np.empty((len(scan.components), BLOCK), np.int16)
    given = np.frombuffer(b"".join(part.steps for part in scan.components), np.uint8)
    steps[:, _ZIGZAG] = given.reshape(steps.shape)
    return components, _codes(used), steps.reshape(-1)


@lru_cache(maxsize=8)
def _codes(used: tuple[bytes, ...]) -> NDArray[np.uint64]:
    """Return a table for each kind of codes. Most files have the same (T.81, K.3)."""
    tables, room = np.zeros((len(used), _TABLE), np.uint64), np.empty(1 << BITS, np.uint64)
    for table, one in zip(tables, used, strict=True):
        counts, symbols = np.frombuffer(one[:16], np.uint8), np.frombuffer(one[16:], np.uint8)
        table[SYMBOLS : SYMBOLS + symbols.size] = symbols
        room[:] = 0
        _FILL(counts.astype(np.int64), table, room)
    return tables
