"""LZW as GIF has it (GIF89a, appendix F): count the pixels that the data of a frame holds.

libvips fills a frame whose data ends early with one colour, and does not say so.
"""

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel

MOST_CODES = 4096
_PIXELS_IN = Kernel(
    f"{__package__}.compiled.lzw:pixels_in", "int64(uint8[::1], int64, int64, int64[::1])"
)


def pixels_in(data: NDArray[np.uint8], at: int, most: int) -> int:
    """Return how many pixels the codes stand for up to their end, or the first wrong one; at most
    `most`. `at` is the index of the smallest code's size, before the sub-blocks.
    """
    return int(_PIXELS_IN(data, at, most, np.ones(MOST_CODES, np.int64)))
