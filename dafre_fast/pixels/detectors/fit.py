"""Bring a picture to the size that a network takes, and boxes back. Pure."""

from typing import NamedTuple

import cv2
import numpy as np

from dafre_fast.pixels.detectors.families.base import Family, Floats
from dafre_fast.pixels.geometry import Size
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
    """Return the input of a network for RGB pixels: float32 (1, 3, height, width)."""
    height, width = pixels.shape[:2]
    rgb = pixels[..., :3]
    if Size(width, height) != placed.picture:
        smaller = placed.picture.width < width
        method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        rgb = cv2.resize(rgb, placed.picture, interpolation=method)
    channels = rgb if family.order == "rgb" else rgb[..., ::-1]
    planes = np.full((1, 3, placed.input.height, placed.input.width), family.grey, np.float32)
    rows = slice(placed.top, placed.top + placed.picture.height)
    columns = slice(placed.left, placed.left + placed.picture.width)
    planes[0, :, rows, columns] = channels.transpose(2, 0, 1)
    if any(family.mean):
        planes -= np.array(family.mean, np.float32).reshape(3, 1, 1)
    planes *= np.float32(family.scale)
    return planes
