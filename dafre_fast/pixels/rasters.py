"""What the decoders hand on: pixels as they are stored, not yet turned."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.pixels.geometry import Rect, swaps_sides

Pixels = NDArray[np.uint8]
"""RGB (height, width, 3) or RGBX (height, width, 4), sRGB; X means nothing."""


class Raster(NamedTuple):
    """A picture on its way to its target: `pixels` (height, width, 3 or 4), RGB or RGBX, uint8 or
    sums in uint16; `extent`, width and height in pixels; `scale`, what makes the values 0 ... 255.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    extent: tuple[float, float]
    scale: float = 1.0


Decoded = dict[str, Raster]
"""What each output of one original is resized from, by the name of the output."""
Pictures = dict[str, Pixels]
"""The outputs of one original by name, at their final size, not yet turned."""


def raster(pixels: Pixels) -> Raster:
    """Pixels as they are."""
    height, width = pixels.shape[:2]
    return Raster(pixels, (width, height))


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
