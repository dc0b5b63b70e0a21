"""Compiled counting of the pixels of GIF's codes, as `pixels.kernels.lzw` describes it."""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.pixels.kernels.lzw import MOST_CODES

_LONGEST_CODE = 12


@inlined
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


def pixels_in(data, at, most, lengths):  # type: ignore[no-untyped-def]
    """Return how many pixels the codes stand for. `lengths` int64 is room for those of each code,
    and all ones.
    """
    size = np.int64(data[at])
    if size >= _LONGEST_CODE:
        return 0
    clear = 1 << size
    known, width, before, pixels = clear + 2, size + 1, -1, 0
    at, left, bits, held = at + 1, np.int64(0), np.int64(0), np.int64(0)
    while pixels < most:
        at, left, bits, held = _bytes_of(data, at, left, bits, held, width)
        code = bits & ((1 << width) - 1)
        if held < width or code == clear + 1:
            break
        bits, held = bits >> width, held - width
        if code == clear:
            known, width, before = clear + 2, size + 1, -1
            continue
        if before >= 0 and known < MOST_CODES:
            lengths[known] = lengths[before] + 1
            known += 1
            if known == 1 << width and width < _LONGEST_CODE:
                width += 1
        if code >= known or (before < 0 and code > clear):
            break
        pixels += lengths[code]
        before = code
    return min(pixels, most)
