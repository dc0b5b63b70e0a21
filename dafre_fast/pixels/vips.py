"""libvips: decode every format by its own named loader, resize, convert, turn and encode.

Called with one thread and no cache: there is a process per core, and no picture comes twice.
"""

import os
from contextlib import suppress

# Read once, when libvips loads.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import numpy as np
import pyvips
from numpy.typing import NDArray

from dafre_fast.model.errors import Refusal
from dafre_fast.model.reason import Reason
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.header import Header, is_srgb, profile_space
from dafre_fast.pixels.sniff import Format

pyvips.cache_set_max(0)

Pixels = NDArray[np.uint8]

_LOADERS = {
    Format.JPEG: "jpegload_buffer",
    Format.PNG: "pngload_buffer",
    Format.GIF: "gifload_buffer",
    Format.WEBP: "webpload_buffer",
    Format.TIFF: "tiffload_buffer",
    Format.AVIF: "heifload_buffer",
    Format.HEIC: "heifload_buffer",
}
_PROFILE = "icc-profile-data"
_SPACES = {
    "srgb": b"RGB ",
    "rgb": b"RGB ",
    "rgb16": b"RGB ",
    "b-w": b"GRAY",
    "grey16": b"GRAY",
    "cmyk": b"CMYK",
}
_TURNS = {
    2: (None, "horizontal"),
    3: ("d180", None),
    4: (None, "vertical"),
    5: ("d90", "horizontal"),
    6: ("d90", None),
    7: ("d270", "horizontal"),
    8: ("d270", None),
}
"""Turn clockwise, then mirror, for each EXIF orientation."""


def read_header(data: bytes, format: Format) -> Header:
    """Size, orientation and profile as the loader finds them.

    Raises Refusal (CORRUPT_HEADER) where it finds none.
    """
    image = _open(data, format)
    fields = set(image.get_fields())
    orientation = image.get("orientation") if "orientation" in fields else 1
    return Header(
        format=format,
        stored=Size(image.width, image.height),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        profile=bytes(image.get(_PROFILE)) if _PROFILE in fields else None,
    )


def load(data: bytes, format: Format, shrink: int = 1) -> pyvips.Image:
    """The first frame, to be read once from top to bottom; transparency on white.

    `shrink` (1, 2, 4 or 8) divides the size of a JPEG while it is decoded. Pixels are decoded when
    they are asked for, and only then does a damaged file show: see `in_memory`.
    """
    image = _open(data, format, **({"shrink": shrink} if shrink > 1 else {}))
    if image.hasalpha():
        white = 65_535 if image.format == "ushort" else 255
        image = image.flatten(background=white)
    return image


def _open(data: bytes, format: Format, **options: object) -> pyvips.Image:
    loader = getattr(pyvips.Image, _LOADERS[format])
    try:
        return loader(data, access="sequential", fail_on="error", **options)
    except pyvips.Error as error:
        raise Refusal(Reason.CORRUPT_HEADER, _first_line(error)) from error


def from_pixels(pixels: Pixels, profile: bytes | None) -> pyvips.Image:
    """RGB pixels uint8 (height, width, 3) as an image; the array must outlive it."""
    height, width, bands = pixels.shape
    image = pyvips.Image.new_from_memory(pixels.data, width, height, bands, "uchar")
    image = image.copy(interpretation="srgb")
    if profile is not None:
        image.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    return image


def resize(image: pyvips.Image, size: Size) -> pyvips.Image:
    """Lanczos-3 to exactly `size`, both sides on their own."""
    if (image.width, image.height) == size:
        return image
    return image.resize(
        size.width / image.width, vscale=size.height / image.height, kernel="lanczos3"
    )


def cut(image: pyvips.Image, rect: Rect) -> pyvips.Image:
    """The region alone."""
    return image.crop(rect.left, rect.top, *rect.size)


def in_memory(image: pyvips.Image) -> pyvips.Image:
    """The same pixels, decoded now. Raises Refusal, TRUNCATED or CORRUPT, for a damaged file."""
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        line = _first_line(error)
        short = any(word in line.lower() for word in ("premature", "truncated", "end of"))
        raise Refusal(Reason.TRUNCATED if short else Reason.CORRUPT, line) from error


def render(image: pyvips.Image, orientation: int) -> pyvips.Image:
    """Decode now, as 8-bit sRGB and turned upright; the image returned lies in memory.

    Raises Refusal, TRUNCATED or CORRUPT, where the file is damaged.
    """
    return _turn(_to_srgb(in_memory(image)), orientation).copy_memory()


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    if image.bands > 3 and image.interpretation != "cmyk":
        image = image[0:3].copy()  # a TIFF may have channels beside its colours
    profile = bytes(image.get(_PROFILE)) if image.get_typeof(_PROFILE) else b""
    # libvips would put a profile of its own in the place of one that does not fit.
    if profile_space(profile) == _SPACES.get(image.interpretation) and not is_srgb(profile):
        with suppress(pyvips.Error):  # a broken profile says nothing about the pixels
            return image.icc_transform("srgb", embedded=True, depth=8).copy_memory()
    if image.interpretation == "cmyk":
        if image.format == "ushort":
            image = (image / 257).rint()
        ink_and_key = 255 - image  # what the paper still reflects, of each ink and of black
        image = (ink_and_key[0:3] * ink_and_key[3] / 255).rint().cast("uchar")
        return image.copy(interpretation="srgb")
    return image.colourspace("srgb").cast("uchar")


def _turn(image: pyvips.Image, orientation: int) -> pyvips.Image:
    angle, mirror = _TURNS.get(orientation, (None, None))
    image = image.rot(angle) if angle else image
    return image.flip(mirror) if mirror else image


def to_pixels(image: pyvips.Image) -> Pixels:
    """RGB pixels uint8 (height, width, 3)."""
    memory = np.frombuffer(image.write_to_memory(), np.uint8)
    return memory.reshape(image.height, image.width, image.bands)


def encode(image: pyvips.Image, quality: int, subsampling: str) -> bytes:
    """Baseline JPEG without metadata."""
    chroma = "on" if subsampling == "4:2:0" else "off"
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode=chroma, keep="none"))


def _first_line(error: pyvips.Error) -> str:
    lines = [line.strip() for line in f"{error.detail}\n{error.message}".splitlines()]
    telling = [line for line in lines if line and not line.startswith("unable to")]
    return telling[0] if telling else "libvips gives no reason"
