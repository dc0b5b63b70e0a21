"""Store drawn pictures as files, in every way that a run must be able to read or refuse."""

from pathlib import Path

import numpy as np

from dafre_fast.core.atomic import replacing
from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.sample.cast import Kind, Portrait
from dafre_fast.sample.drawing import draw

_HTML = b"<!DOCTYPE html>\n<html><body><h1>503 Service Unavailable</h1></body></html>\n"
_ROTATED_LEFT = 6
"""Orientation of EXIF: turn by 90 degrees clockwise for display. The stored picture is turned left.
"""


def write_original(portrait: Portrait, folder: Path) -> None:
    """Draw and store one original as `folder/{bucket}/{id}.{ext}`."""
    with replacing(folder / portrait.name) as part:
        part.write_bytes(encode(portrait))


def encode(portrait: Portrait) -> bytes:
    """Return the file of one original."""
    if portrait.kind is Kind.HTML:
        return _HTML
    pixels, mask = draw(portrait)
    opaque = pyvips.Image.new_from_array(pixels, interpretation="srgb")
    match portrait.kind:
        case Kind.PNG:
            return bytes(opaque.pngsave_buffer(compression=3, filter="paeth"))
        case Kind.PNG_ALPHA:
            image = opaque.bandjoin(pyvips.Image.new_from_array(mask))
            return bytes(image.pngsave_buffer(compression=3, filter="paeth"))
        case Kind.DEEP:
            deep = (opaque.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
            return bytes(deep.pngsave_buffer(compression=1, bitdepth=16))
        case Kind.GIF:
            return bytes(opaque.gifsave_buffer(effort=4))
        case Kind.TURNED:
            stored = opaque.rot("d270")
            stored.set_type(pyvips.GValue.gint_type, "orientation", _ROTATED_LEFT)
            return _jpeg(stored)
        case Kind.CMYK:
            return _jpeg(_plain_cmyk(pixels))
        case Kind.WIDE_GAMUT:
            return _jpeg(opaque.icc_transform("p3", input_profile="srgb"))
        case Kind.TRUNCATED:
            whole = _jpeg(opaque)
            return whole[: len(whole) * 2 // 3]
        case kind:
            return _jpeg(opaque, interlace=kind is Kind.PROGRESSIVE)


def _jpeg(image: pyvips.Image, **options: object) -> bytes:
    return bytes(image.jpegsave_buffer(Q=92, subsample_mode="on", **options))


def _plain_cmyk(pixels: np.ndarray) -> pyvips.Image:
    """Return a CMYK image without a profile, with all black in its own ink.

    `pixels` are RGB uint8 (height, width, 3).
    """
    colour = pixels.astype(np.float32)
    light = np.maximum(colour.max(axis=2, keepdims=True), 1.0)
    inks = 255 - np.dstack([colour / light * 255, light])
    return pyvips.Image.new_from_array(inks.round().astype(np.uint8), interpretation="cmyk")
