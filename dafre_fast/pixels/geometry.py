"""Sizes, boxes and orientation, in whole pixels.

Points are (x, y) from the top left. An EXIF orientation (Exif 2.32, tag 0x0112) says how the stored
picture is turned to become the oriented one, which viewers show.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box

LARGEST_JPEG_SIDE = 65_500
"""Limit of the encoders, in pixels (libjpeg's JPEG_MAX_DIMENSION). The format allows 65,535."""
LARGEST_SIDES = {"jpg": LARGEST_JPEG_SIDE, "webp": 16_383, "png": LARGEST_JPEG_SIDE}
"""Limits of outputs, in pixels, by extension. That of WebP is the format's; PNG allows more."""

_FAR = 1e6
"""Largest coordinate of a box, as a share of the side; larger ones are clipped to stay finite."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class Rect(NamedTuple):
    """A region in whole pixels: left and top are inside, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        return Size(self.right - self.left, self.bottom - self.top)

    def within(self, other: "Rect") -> "Rect":
        """Return the region in coordinates that begin at the left and top of another."""
        left, top = other.left, other.top
        return Rect(self.left - left, self.top - top, self.right - left, self.bottom - top)


def enclosing(rects: Sequence[Rect]) -> Rect:
    """Return the smallest region that holds all of these; an empty one where there are none."""
    if not rects:
        return Rect(0, 0, 0, 0)
    left, top, right, bottom = zip(*rects, strict=True)
    return Rect(min(left), min(top), max(right), max(bottom))


def swaps_sides(orientation: int) -> bool:
    """Return True for orientations 5 to 8, which turn the picture by a quarter."""
    return orientation >= 5


def oriented(size: Size, orientation: int) -> Size:
    """Return the size after turning, or before it: both ways are the same for sizes."""
    return Size(size.height, size.width) if swaps_sides(orientation) else size


def full_size(size: Size, short: int) -> Size:
    """Return the size of a full image: its short side is exactly `short` pixels, its long side is
    `long * short // short_side`, rounded down.
    """
    width, height = size
    if width <= height:
        return Size(short, height * short // width)
    return Size(width * short // height, short)


def long_size(size: Size, long: int) -> Size:
    """Return the size of a picture whose long side is exactly `long` pixels, its short side is
    `short * long // long_side`, rounded down, but at least 1.
    """
    width, height = size
    if width >= height:
        return Size(long, max(1, height * long // width))
    return Size(max(1, width * long // height), long)


def check_size(size: Size, max_pixels: int, extension: str = "jpg") -> None:
    """Check that a file of this format can hold an output, and that it has at most `max_pixels`.

    A strip of 1 x 20,000 pixels would be 5 million pixels long at a short side of 256.
    Raises Refusal (OUTPUT_TOO_LARGE).
    """
    if max(size) > LARGEST_SIDES[extension] or size.width * size.height > max_pixels:
        raise Refusal(Reason.OUTPUT_TOO_LARGE, f"{size.width} x {size.height} pixels")


def face_rect(box: Box, size: Size, margin: float) -> Rect:
    """Return the region of a head crop in the oriented picture of `size`.

    `box` is (left, top, right, bottom) as shares of width and height; `margin` is added on each
    side, as a share of the box's own width and height. Edges are rounded to the nearest pixel edge
    and clipped to the picture.
    Raises Refusal: BAD_BOX if the box is not finite, inverted or outside, EMPTY_BOX if no pixel is
    left.
    """
    left, top, right, bottom = box
    if not all(map(math.isfinite, box)):
        raise Refusal(Reason.BAD_BOX, "not finite")
    if right < left or bottom < top:
        raise Refusal(Reason.BAD_BOX, "inverted")
    if right <= 0 or bottom <= 0 or left >= 1 or top >= 1:
        raise Refusal(Reason.BAD_BOX, "outside the picture")
    left, top, right, bottom = (min(max(edge, -_FAR), _FAR) for edge in box)
    beside, above = margin * (right - left), margin * (bottom - top)
    rect = Rect(
        _edge(left - beside, size.width),
        _edge(top - above, size.height),
        _edge(right + beside, size.width),
        _edge(bottom + above, size.height),
    )
    if rect.left >= rect.right or rect.top >= rect.bottom:
        raise Refusal(Reason.EMPTY_BOX, f"of no pixel in {size.width} x {size.height}")
    return rect


def _edge(share: float, side: int) -> int:
    return min(max(math.floor(share * side + 0.5), 0), side)


def face_size(size: Size, short: int | None) -> Size:
    """Return the size of a head crop: its short side is at most `short` pixels, or as it is for
    None. Crops are never enlarged.
    """
    return size if short is None or min(size) <= short else full_size(size, short)


def stored_rect(rect: Rect, stored: Size, orientation: int) -> Rect:
    """Map a region of the oriented picture to the stored picture of size `stored`."""
    left, top, right, bottom = rect
    if swaps_sides(orientation):  # the oriented x runs along the stored y
        left, top, right, bottom = top, left, bottom, right
    if orientation in (2, 3, 7, 8):
        left, right = stored.width - right, stored.width - left
    if orientation in (3, 4, 6, 7):
        top, bottom = stored.height - bottom, stored.height - top
    return Rect(left, top, right, bottom)
