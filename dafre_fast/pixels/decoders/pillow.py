"""Pillow: formats that libvips does not read, or does not read correctly.

These are BMP; TIFF of up to 8 bits, where libvips takes YCbCr for RGB and unknown channels for
alpha; and AVIF, whose grey pictures libvips leaves in limited range. Files are opened with the
plugin of their format: left to choose, Pillow starts Ghostscript for anything like PostScript. JPEG
and PNG are not decoded here, since Pillow ignores warnings of the one and wrong checksums of the
other.
"""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np
from PIL import AvifImagePlugin, Image, UnidentifiedImageError

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import bmp, boxes
from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.pixels.decoders.vips import render
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header, Space, exif_orientation
from dafre_fast.pixels.plan import ImagePlan
from dafre_fast.pixels.rasters import Pictures

_PREFIX_BYTES = 16
"""First bytes by which Pillow's plugins accept a file."""
_BITS_PER_SAMPLE = 258
_LOCK = Lock()
_SPACES = {"L": Space.GREY, "LA": Space.GREY, "CMYK": Space.CMYK}
_INTERPRETATIONS = {Space.GREY: "b-w", Space.CMYK: "cmyk", Space.RGB: "srgb"}
_WITH_ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}
_HELD_PER_PIXEL = 12
"""Bytes: four for Pillow, as many for one conversion, and the copies on the way to libvips."""


def read_header(data: bytes, format: Format) -> Header:
    """Return size, orientation and profile of a file of up to 8 bits a channel.

    Raises Refusal: CORRUPT_HEADER, or UNSUPPORTED_FORMAT for more bits, which libvips reads better.
    """
    return _read_header(data, format, most_bits=8)


def read_deep_header(data: bytes, format: Format) -> Header:
    """Return the same of a file of any depth. Raises Refusal (CORRUPT_HEADER)."""
    return _read_header(data, format)


def _read_header(data: bytes, format: Format, most_bits: int | None = None) -> Header:
    with _refusing(Reason.CORRUPT_HEADER):
        image = _open(data, format)
        bits = max(image.tag_v2.get(_BITS_PER_SAMPLE, (8,))) if format is Format.TIFF else 8
        if most_bits and (bits > most_bits or image.mode[0] in "IF"):
            raise Refusal(Reason.UNSUPPORTED_FORMAT, f"{bits} bits a channel, mode {image.mode}")
        profile, space = _profile(data, image, format)
        return Header(
            format=format,
            stored=Size(*image.size),
            # Pillow turns a TIFF itself, and gives the size of the turned picture.
            orientation=exif_orientation(image.info.get("exif", b"").removeprefix(b"Exif\0\0")),
            space=space,
            profile=profile,
            alpha=_has_alpha(image),
            frames=image.n_frames if format is Format.AVIF else 1,
            held=image.width * image.height * _HELD_PER_PIXEL,
            decoder="pillow",
        )


def _profile(data: bytes, image: Any, format: Format) -> tuple[bytes | None, Space]:
    """Return the profile, and the space that it has to be for."""
    embedded = image.info.get("icc_profile") or None
    if format is Format.AVIF and embedded is None:
        return boxes.profile(data), Space.RGB
    if format is Format.BMP:
        embedded = bmp.profile(data)
    return embedded, _SPACES.get(image.mode, Space.RGB)


def decode(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Decode, resize and convert to sRGB uint8 (height, width, 3).

    Raises Refusal: CORRUPT if the file is damaged, UNSUPPORTED_FORMAT for 32-bit or float samples.
    """
    with _refusing(Reason.CORRUPT):
        image = _plain(_open(data, header.format))
    return render_image(image, header, plan)


def render_image(image: Any, header: Header, plan: ImagePlan) -> Pictures:
    """Make the outputs of a decoded Pillow image of mode L, LA, RGB, RGBA or CMYK."""
    pixels = np.asarray(image)
    stored = pyvips.Image.new_from_array(pixels if pixels.ndim == 3 else pixels[..., None])
    interpretation = _INTERPRETATIONS[_SPACES.get(image.mode, Space.RGB)]
    stored = stored.copy(interpretation=interpretation)
    return render(lambda _shrink: stored, header, plan)


def _open(data: bytes, format: Format) -> Any:
    """Open a file with the plugin of its format, as `Image.open` does, except that Pillow's guard
    against large pictures is not asked: their size is checked before they are decoded.
    """
    name = format.upper()
    if name not in Image.OPEN:
        Image.init()
    plugin, accepts = Image.OPEN[name]
    try:
        if accepts and accepts(data[:_PREFIX_BYTES]) is not True:
            raise UnidentifiedImageError
        with _one_thread_per_avif():
            return plugin(io.BytesIO(data), "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:
        raise UnidentifiedImageError from error


@contextmanager
def _one_thread_per_avif() -> Iterator[None]:
    """Open AVIFs with one thread each: there is a process per core. Pillow has no other way to say
    so than a variable of its module.
    """
    with _LOCK:
        before = AvifImagePlugin.DEFAULT_MAX_THREADS
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        try:
            yield
        finally:
            AvifImagePlugin.DEFAULT_MAX_THREADS = before


def _has_alpha(image: Any) -> bool:
    return image.mode in _WITH_ALPHA or "transparency" in image.info


def _plain(image: Any) -> Any:
    """Decode an image to mode L, LA, RGB, RGBA or CMYK."""
    image.load()
    if _has_alpha(image):
        return image if image.mode == "LA" else image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith("I;16"):
        bits = max(image.tag_v2[_BITS_PER_SAMPLE])
        grey = np.asarray(image).astype(np.float32) * (255 / ((1 << bits) - 1))
        return Image.fromarray(np.rint(grey).clip(0, 255).astype(np.uint8))
    if image.mode[0] in "IF":
        raise Refusal(Reason.UNSUPPORTED_FORMAT, f"mode {image.mode}")
    return image if image.mode in _SPACES else image.convert("RGB")


@contextmanager
def _refusing(reason: Reason) -> Iterator[None]:
    """Turn whatever Pillow raises into a Refusal, and ignore its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (Refusal, MemoryError):
            raise
        except UnidentifiedImageError as error:  # its words name no cause
            raise Refusal(reason, "Pillow finds no picture in it") from error
        except Exception as error:  # Pillow has a dozen kinds
            raise Refusal(reason, f"{type(error).__name__}: {error}") from error
