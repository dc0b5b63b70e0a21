"""Bring a picture to the size that a network takes, and boxes back. Pure."""

from typing import NamedTuple

import cv2
import numpy as np

from dafre_fast.pixels.detectors.families.base import Family, Floats
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.kernels.planes import spread
from dafre_fast.pixels.rasters import Pixels


class Placed(NamedTuple):
    """A picture within the input of a network, in pixels."""

    input: Size
    """The size of the input."""
    picture: Size
    """The size of the picture in it."""
    left: int
    """Columns left of the picture."""
    top: int
    """Rows above it."""

    def shares(self, boxes: Floats) -> Floats:
        """Turn boxes in pixels of the input, (N, 4), into shares of the picture, clipped to it."""
        corner = (self.left, self.top) * 2
        shares = (boxes - np.array(corner, np.float32)) / np.array(self.picture * 2, np.float32)
        clipped: Floats = np.clip(shares, 0, 1)
        return clipped


def place(picture: Size, family: Family, side: int, fixed: Size | None) -> Placed:
    """Return where a picture lies in the input: `side` is its long side, and `fixed` the size of
    the input, unless the network leaves it open.
    """
    if family.fit == "stretch":
        return _filled(fixed or Size(side, side))
    if family.fit == "free":
        return _filled(fixed or scaled(picture, Size(side, side)))
    inner = scaled(picture, fixed or Size(side, side))
    steps = [-(-length // family.step) * family.step for length in inner]
    outer = fixed or Size(*steps)
    left, top = (outer.width - inner.width) // 2, (outer.height - inner.height) // 2
    return Placed(outer, inner, left, top)


def _filled(size: Size) -> Placed:
    return Placed(size, size, 0, 0)


def scaled(picture: Size, within: Size) -> Size:
    """Return the size of a picture that just fits into another, with its proportions."""
    scale = min(within.width / picture.width, within.height / picture.height)
    return Size(
        *(
            max(1, min(round(length * scale), most))
            for length, most in zip(picture, within, strict=True)
        )
    )


def blob(pixels: Pixels, placed: Placed, family: Family) -> Floats:
    """Return the input of a network for pixels, RGB or RGBX: float32 (1, 3, height, width)."""
    planes = np.empty((1, 3, placed.input.height, placed.input.width), np.float32)
    rgb = planes[0] if family.order == "rgb" else planes[0, ::-1]
    mean = np.array(family.mean, np.float32)
    mean = mean if family.order == "rgb" else mean[::-1].copy()
    if placed.picture != placed.input:
        rgb[:] = (np.float32(family.grey) - mean[:, None, None]) * np.float32(family.scale)
    rows = slice(placed.top, placed.top + placed.picture.height)
    columns = slice(placed.left, placed.left + placed.picture.width)
    spread(_resized(pixels, placed.picture), mean, family.scale, rgb[:, rows, columns])
    return planes


def _resized(pixels: Pixels, size: Size) -> Pixels:
    """Resize pixels. Bilinear, as in training of most detectors, unless that would leave out
    pixels.
    """
    height, width = pixels.shape[:2]
    if Size(width, height) == size:
        return pixels
    leaves_out = width > 2 * size.width or height > 2 * size.height
    method = cv2.INTER_AREA if leaves_out else cv2.INTER_LINEAR
    resized: Pixels = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method)
    return resized
