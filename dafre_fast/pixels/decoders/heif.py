"""HEIC by libheif and libde265, through pillow-heif: the extra `heic` installs it.

libvips and Pillow come without a decoder of HEVC.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import boxes
from dafre_fast.pixels.decoders.pillow import render_image
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header, Space
from dafre_fast.pixels.plan import ImagePlan
from dafre_fast.pixels.rasters import Pictures

REMEDY = "HEIC is read with pillow-heif: pip install 'dafre_fast[heic]', then --retry-failed"
_LOCK = Lock()
_HELD_PER_PIXEL = 12
"""Bytes: planes of 16 bits, the pixels, and the copies on the way to libvips."""


def read_header(data: bytes, format: Format) -> Header:
    """Return size and profile of the primary picture, which libheif turns upright itself.

    Raises Refusal: CORRUPT_HEADER, or UNSUPPORTED_FORMAT without pillow-heif, for a sequence
    without a still picture, and for other codecs.
    """
    if boxes.is_sequence_alone(data):
        raise Refusal(Reason.UNSUPPORTED_FORMAT, "a HEIF sequence without a still picture")
    with _refusing(Reason.CORRUPT_HEADER):
        image = _open(data)
    embedded = image.info.get("icc_profile")
    return Header(
        format=format,
        stored=Size(*image.size),
        space=Space.GREY if embedded and _is_grey(image) else Space.RGB,
        profile=embedded or boxes.profile(data),
        alpha=image.has_alpha,
        held=image.size[0] * image.size[1] * _HELD_PER_PIXEL,
        decoder="heif",
    )


def decode(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Decode, resize and convert to sRGB uint8 (height, width, 3 or 4).

    Raises Refusal (CORRUPT or UNSUPPORTED_FORMAT) if the file is damaged or of another codec.
    """
    with _refusing(Reason.CORRUPT):
        image = _open(data)
        if _is_grey(image) and image.mode != "L":  # of more than 8 bits, scaled to 16
            plain = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
        else:
            plain = image.to_pillow()
        if image.premultiplied_alpha:
            plain = plain.convert("RGBA")
    return render_image(plain, header, plan)


def _is_grey(image: Any) -> bool:
    return str(image.mode)[0] in "LI"


def _open(data: bytes) -> Any:
    """Open the primary picture with one thread: there is a process per core. pillow-heif has no
    other way to say so than a variable of its module.
    """
    try:
        import pillow_heif
    except ImportError as error:
        raise Refusal(Reason.UNSUPPORTED_FORMAT, REMEDY) from error
    with _LOCK:
        before = pillow_heif.options.DECODE_THREADS
        pillow_heif.options.DECODE_THREADS = 1
        try:
            images = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
        finally:
            pillow_heif.options.DECODE_THREADS = before
    if not len(images):
        raise Refusal(Reason.UNSUPPORTED_FORMAT, "HEIF without a picture of a codec that is read")
    return images[images.primary_index]


@contextmanager
def _refusing(reason: Reason) -> Iterator[None]:
    """Turn whatever pillow-heif raises into a Refusal: SyntaxError is its word for unsupported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (Refusal, MemoryError):
            raise
        except SyntaxError as error:
            raise Refusal(Reason.UNSUPPORTED_FORMAT, _words(error)) from error
        except Exception as error:  # of four kinds
            raise Refusal(reason, _words(error)) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
