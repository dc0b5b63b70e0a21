"""Which decoder reads what: a fast lane for plain JPEGs and PNGs, libvips for everything else."""

from collections.abc import Callable
from contextlib import suppress

from dafre_fast.model.errors import Refusal
from dafre_fast.pixels import jpeg, png, vips
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.pictures import Pictures, Pixels
from dafre_fast.pixels.planning import WHOLE, ImagePlan
from dafre_fast.pixels.sniff import SNIFF_BYTES, Format, sniff

_LARGEST_WHOLE = 64_000_000
"""Pixels up to which a fast lane may have the whole picture in memory; libvips streams."""


def read_header(data: bytes) -> Header:
    """Raises Refusal where the bytes are no picture that is read here."""
    match sniff(data[:SNIFF_BYTES]):
        case Format.JPEG:
            return jpeg.read_header(data)
        case Format.PNG:
            return png.read_header(data)
        case format:
            return vips.read_header(data, format)


def decode(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Both outputs at their final size. What a fast lane has a doubt about, libvips judges.

    Raises Refusal where libvips finds the file damaged.
    """
    lane = _fast_lane(header, plan)
    if lane is not None:
        with suppress(Refusal):
            full, face = lane(data, header, plan)
            return Pictures(_srgb(full, header), _srgb(face, header))
    return vips.pictures(data, header, plan)


def _fast_lane(
    header: Header, plan: ImagePlan
) -> Callable[[bytes, Header, ImagePlan], Pictures] | None:
    if not header.plain:
        return None
    width, height = header.stored
    if header.format is Format.PNG:
        return png.pictures if width * height <= _LARGEST_WHOLE else None
    share = 1.0 if plan.face or not plan.full else plan.full.eighths / WHOLE
    fits = width * height * share**2 <= _LARGEST_WHOLE
    return jpeg.pictures if fits and jpeg.turbo() is not None else None


def _srgb(pixels: Pixels | None, header: Header) -> Pixels | None:
    return None if pixels is None else vips.to_srgb(pixels, header.profile)
