"""Keep what is there of a truncated JPEG, PNG or GIF (`--truncated keep`): whole rows, or whole
scans.

Decoders in their lenient modes report success even if nothing was decoded, and fill what is missing
with anything. Here, the rows that are there are counted first, and the others are white.
"""

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import choose, chunks, gif, markers, vips
from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.pixels.decoders.scans import whole_scans
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import LARGEST_WHOLE, WHOLE, ImagePlan
from dafre_fast.pixels.rasters import Pictures

_NO_BLOCK = 128
"""The value that libjpeg shows of a missing block, in every channel."""
_SMOOTHED_ROWS = 16
"""Rows of two blocks, into which libjpeg smooths what is above them."""
_DEPTH = 24
"""Offset of a PNG's bit depth; its colour type follows."""
_INTERLACED = 28
"""Offset of a PNG's interlace method."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Channels of each colour type of PNG (11.2.1)."""


def keep(
    data: bytes, header: Header, plan: ImagePlan, refused: Refusal
) -> tuple[Pictures, str, Refusal | None]:
    """Return the outputs by name, a description of what is kept, and why some outputs that were
    wanted are missing. `refused` is what the strict decoder said.

    Raises Refusal (TRUNCATED) if there is nothing to keep.
    """
    nothing = Refusal(Reason.TRUNCATED, f"{refused.detail}; nothing could be kept")
    if header.format is Format.JPEG and header.scans > 1:
        if (whole := whole_scans(data)) is None:
            raise nothing
        made = choose.decode(whole, header, plan)
        return made, "breaks off; the scans before are kept", plan.refused
    width, height = header.stored
    count = _ROWS.get(header.format)
    if count is None or width * height > LARGEST_WHOLE:
        raise nothing
    try:
        rows = count(data, header)
    except Refusal as refusal:
        raise nothing from refusal
    if rows.there == 0:
        raise nothing
    there = [one for one in plan.outputs if not one.rect or one.rect.bottom <= rows.shown]
    missing = plan.refused
    if len(there) < len(plan.outputs):
        missing = Refusal(Reason.TRUNCATED, "the head is not in what is kept")
    kept = ImagePlan(tuple(replace(one, eighths=WHOLE) for one in there), missing)
    shown = vips.upper(rows.image, rows.shown)
    made = vips.render(lambda _shrink: shown, header, kept)
    return made, f"breaks off; {rows.there} of {height} stored rows are kept", missing


class _Rows(NamedTuple):
    """A picture, how many of its rows are there, and down to which row they show it."""

    image: pyvips.Image
    there: int
    shown: int


def _jpeg_rows(data: bytes, header: Header) -> _Rows:
    """Return the rows that all blocks are there for."""
    picture = markers.ended(data)
    image, step = vips.lenient(picture, header), _block_rows(data)
    if header.progressive:  # libjpeg returns no row before the last scan
        rows = max(0, _coloured_rows(image) - _SMOOTHED_ROWS) // step * step
    else:
        # Without an EOI libjpeg fails where the data ends. The rows before wait for those below.
        rows = -(-vips.strict_rows(picture.removesuffix(markers.END), header.format) // step) * step
    return _Rows(image, min(rows, image.height), min(rows, image.height))


def _coloured_rows(image: pyvips.Image) -> int:
    """Return the last row above those without any block, which are plain grey."""
    is_grey = (image.numpy() == _NO_BLOCK).reshape(image.height, -1).all(axis=1)
    return int(max(0, *np.flatnonzero(~is_grey)[-1:]))


def _block_rows(data: bytes) -> int:
    """Return how many rows of pixels a row of coded blocks has (T.81, A.2)."""
    frame = next(part.body for part in markers.segments(data) if part.marker in markers.FRAMES)
    return 8 * max(factors & 15 for factors in frame[7::3]) if frame[5] > 1 else 8


def _png_rows(data: bytes, header: Header) -> _Rows:
    picture = chunks.ended(data)
    if picture[_INTERLACED]:
        raise Refusal(Reason.TRUNCATED, "libpng shows no part of an interlaced PNG")
    bits = picture[_DEPTH] * _CHANNELS[picture[_DEPTH + 1]]
    line = 1 + -(-header.stored.width * bits // 8)
    rows = min(chunks.pixel_bytes(picture) // line, header.stored.height)
    return _Rows(vips.lenient(picture, header), rows, rows)


def _gif_rows(data: bytes, header: Header) -> _Rows:
    """Return the rows of the first frame. Interlaced ones are repeated below, as browsers do."""
    picture, frame = gif.alone(data), gif.first_frame(data)
    rows, order = vips.gif_pixels(picture)[0] // frame.size.width, gif.order_of_rows(data)
    is_there = np.zeros(len(order), bool)
    is_there[order[:rows]] = True
    above = np.maximum.accumulate(np.where(is_there, np.arange(len(order)), 0))
    image = vips.lenient(picture, header)
    pixels = image.numpy()
    pixels[frame.top : frame.bottom] = pixels[frame.top + above]
    filled = pyvips.Image.new_from_array(pixels).copy(interpretation=image.interpretation)
    step = order[1] if len(order) > 1 else 1
    return _Rows(filled, rows, frame.top + min(step * rows, len(order)))


_ROWS = {Format.JPEG: _jpeg_rows, Format.PNG: _png_rows, Format.GIF: _gif_rows}
"""Functions that return the rows of a file that breaks off, by format. libwebp shows none."""
