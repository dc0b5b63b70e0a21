"""Frame a resized picture as its resize mode says: cut out the middle, or add a border. Pure.

The modes are those of img2dataset (its `resizer.py`): both begin with a picture that was resized as
a whole, `center_crop` by its short side, `border` by its long one.
"""

import numpy as np

from dafre_fast.core.settings.images import ResizeMode
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.rasters import Pixels

LONG_SIDE: frozenset[ResizeMode] = frozenset(("border", "keep_ratio_largest"))
"""Modes in which the size of an output is that of its long side."""
_WHITE = 255


def framed_size(size: Size, mode: ResizeMode) -> Size:
    """Return the size that a picture of `size` gets."""
    if mode == "center_crop":
        return Size(min(size), min(size))
    if mode == "border":
        return Size(max(size), max(size))
    return size


def framed(pixels: Pixels, mode: ResizeMode) -> Pixels:
    """Return the middle square of an upright picture (height, width, 3 or 4), the picture in the
    middle of a white square, or for other modes the picture itself.
    """
    height, width = pixels.shape[:2]
    side, _ = framed_size(Size(width, height), mode)
    if mode == "center_crop":
        top, left = (height - side) // 2, (width - side) // 2
        return pixels[top : top + side, left : left + side]
    if mode == "border" and width != height:
        square = np.full((side, side, pixels.shape[2]), _WHITE, np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        square[top : top + height, left : left + width] = pixels
        return square
    return pixels
