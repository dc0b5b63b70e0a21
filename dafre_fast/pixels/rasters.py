"""Pixels on their way from decoders to outputs: as they are stored, not yet turned upright."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.pixels.geometry import Rect, swaps_sides

Pixels = NDArray[np.uint8]
"""RGB (height, width, 3) or RGBX (height, width, 4), sRGB; X is undefined."""


class Raster(NamedTuple):
    """The source of a resize: pixels, or sums over blocks of pixels."""

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    """RGB or RGBX (height, width, 3 or 4)."""
    extent: tuple[float, float]
    """Width and height in pixels; fractions count where a reduction ends within a pixel."""
    scale: float = 1.0
    """Factor that makes the values 0 to 255."""


Decoded = dict[str, Raster]
"""The source from which each output of one original is resized, by the name of the output."""
Pictures = dict[str, Pixels]
"""The outputs of one original by name, at their final size, not yet turned."""


def raster(pixels: Pixels) -> Raster:
    """Wrap pixels without a reduction."""
    height, width = pixels.shape[:2]
    return Raster(pixels, (width, height))


def cut(pixels: Pixels, rect: Rect) -> Pixels:
    """Return a view of the region `rect`, without a copy."""
    return pixels[rect.top : rect.bottom, rect.left : rect.right]


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Turn stored pixels upright by an EXIF orientation, 1 to 8 (Exif 2.32, tag 0x0112). A view."""
    if swaps_sides(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
