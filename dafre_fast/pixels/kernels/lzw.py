"""LZW as GIF has it (GIF89a, appendix F): count the pixels that the data of a frame holds.

libvips fills a frame whose data ends early with one colour, and does not say so.
"""

import numpy as np
from numba import njit

from dafre_fast.core.jit import kernel

_MOST_CODES = 4096
_LONGEST_CODE = 12


@njit
def _bytes_of(data, at, left, bits, held, width):  # type: ignore[no-untyped-def]
    """Take bytes from sub-blocks until `width` bits are held, or the sub-blocks end."""
    while held < width:
        if left == 0:
            left = np.int64(data[at]) if at < len(data) else 0
            at += 1
        if left == 0 or at >= len(data):
            break
        bits |= np.int64(data[at]) << held
        held, at, left = held + 8, at + 1, left - 1
    return at, left, bits, held


@kernel("int64(uint8[::1], int64, int64)")
def pixels_in(data, at, most):  # type: ignore[no-untyped-def]
    """Return how many pixels the codes stand for up to their end, or the first wrong one; at most
    `most`. `at` is the index of the smallest code's size, before the sub-blocks.
    """
    size = np.int64(data[at])
    if size >= _LONGEST_CODE:
        return 0
    clear = 1 << size
    lengths = np.ones(_MOST_CODES, np.int64)
    known, width, before, pixels = clear + 2, size + 1, -1, 0
    at, left, bits, held = at + 1, 0, 0, 0
    while pixels < most:
        at, left, bits, held = _bytes_of(data, at, left, bits, held, width)
        code = bits & ((1 << width) - 1)
        if held < width or code == clear + 1:
            break
        bits, held = bits >> width, held - width
        if code == clear:
            known, width, before = clear + 2, size + 1, -1
            continue
        if before >= 0 and known < _MOST_CODES:
            lengths[known] = lengths[before] + 1
            known += 1
            if known == 1 << width and width < _LONGEST_CODE:
                width += 1
        if code >= known or (before < 0 and code > clear):
            break
        pixels += lengths[code]
        before = code
    return min(pixels, most)
