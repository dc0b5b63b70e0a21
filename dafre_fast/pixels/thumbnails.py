"""Thumbnails of image files as WebP, for reports and galleries.

Damaged files are shown as far as they can be decoded; Refusal is raised if nothing can be.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import Bounds
from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.pixels.making import show_picture
from dafre_fast.pixels.sniff import sniff

_QUALITY = 80
_GAP = 4
_FROM_TOP = 0.25
"""Share of what a square leaves out of a tall picture that is cut off above: heads are up there."""


class Thumbnail(Struct, frozen=True):
    """A WebP file, and its width and height in pixels."""

    data: bytes
    width: int
    height: int


def whole(data: bytes, size: int, max_pixels: int) -> Thumbnail:
    """Make a thumbnail of the whole picture, at most `size` x `size` pixels and never enlarged.

    Raises Refusal if nothing can be decoded, or the picture has more than `max_pixels`.
    """
    return _encoded(_within(data, size, max_pixels))


def square(data: bytes, size: int, max_pixels: int) -> Thumbnail:
    """Make a thumbnail of `size` x `size` pixels, cut from the picture. Raises Refusal likewise."""
    return _encoded(_squared(data, size, max_pixels))


def searched(data: bytes, size: int, bounds: Bounds) -> Thumbnail:
    """Make a thumbnail of the whole picture, at most `size` pixels on its long side, as a detector
    sees it: decoded as outputs are, upright and on white. Raises Refusal as `show_picture` does.
    """
    _, pixels = show_picture(data, bounds, size)
    picture = pyvips.Image.new_from_array(np.ascontiguousarray(pixels[..., :3]))
    return _encoded(picture.thumbnail_image(size, height=size, size="down"))


class Joined(NamedTuple):
    """Thumbnails of several files in one picture, and the indices of those not decoded."""

    picture: Thumbnail
    broken: Sequence[int]


def sheet(files: Iterable[bytes | None], size: int, columns: int, max_pixels: int) -> Joined:
    """Join square thumbnails row by row; gaps, missing and undecodable files are transparent."""
    nothing = pyvips.Image.black(size, size, bands=4).copy(interpretation="srgb")
    tiles, broken = [], list[int]()
    for place, data in enumerate(files):
        tile = nothing
        if data is not None:
            try:
                tile = _squared(data, size, max_pixels).bandjoin(255)
            except Refusal:
                broken.append(place)
        tiles.append(tile)
    across, ground = min(columns, len(tiles)), [0, 0, 0, 0]
    joined = pyvips.Image.arrayjoin(tiles, across=across, shim=_GAP, background=ground)
    return Joined(_encoded(joined), broken)


def _squared(data: bytes, size: int, max_pixels: int) -> pyvips.Image:
    width, height = _sides(data, max_pixels)
    covering = -(-max(width, height) * size // min(width, height))
    try:
        image = _decoded(data, covering)
        sides = (max(image.width, size), max(image.height, size))  # rounding may leave one short
        image = image.embed(0, 0, *sides, extend="copy")
        left, top = (image.width - size) // 2, int((image.height - size) * _FROM_TOP)
        return image.crop(left, top, size, size).copy_memory()
    except pyvips.Error as error:
        raise _refusal(error) from error


def _within(data: bytes, size: int, max_pixels: int) -> pyvips.Image:
    _sides(data, max_pixels)
    try:
        return _decoded(data, size, size="down").copy_memory()
    except pyvips.Error as error:
        raise _refusal(error) from error


def _sides(data: bytes, max_pixels: int) -> tuple[int, int]:
    sniff(data)  # libvips tries no loader of another format
    try:
        header = pyvips.Image.new_from_buffer(data, "", access="sequential")
    except pyvips.Error as error:
        raise _refusal(error) from error
    if header.width * header.height > max_pixels:
        raise Refusal(Reason.TOO_MANY_PIXELS, f"{header.width} x {header.height}")
    return header.width, header.height


def _decoded(data: bytes, box: int, **options: object) -> pyvips.Image:
    """Decode to upright 8-bit sRGB on white, within `box` x `box` pixels; lenient with damage."""
    image = pyvips.Image.thumbnail_buffer(data, box, height=box, fail_on="none", **options)
    if image.hasalpha():
        image = image.flatten(background=255)
    return image.colourspace("srgb").cast("uchar")[:3]


def _refusal(error: pyvips.Error) -> Refusal:
    lines = str(error.detail or error.message).split("\n")
    return Refusal(Reason.CORRUPT, lines[0].strip())


def _encoded(image: pyvips.Image) -> Thumbnail:
    data = image.webpsave_buffer(Q=_QUALITY, keep="none")
    return Thumbnail(bytes(data), image.width, image.height)
