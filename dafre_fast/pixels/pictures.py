"""What every decoder hands on: the pixels of the outputs, not yet turned."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.pixels.geometry import Rect, swaps_sides

Pixels = NDArray[np.uint8]
"""RGB (height, width, 3) or RGBX (height, width, 4), sRGB; X means nothing."""


class Pictures(NamedTuple):
    """Both outputs of one original, at their final size, as the original is stored."""

    full: Pixels | None
    face: Pixels | None


def cut(pixels: Pixels, rect: Rect) -> Pixels:
    """The region alone, without copying it."""
    return pixels[rect.top : rect.bottom, rect.left : rect.right]


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Stored pixels as people are to see them (Exif 2.32, tag 0x0112)."""
    if swaps_sides(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
