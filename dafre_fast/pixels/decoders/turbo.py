"""libjpeg-turbo: that of the system, or else what two wheels bring along. A module of its own, so
that the main process can ask without loading a decoder.

Both ways give the same bytes. simplejpeg's wheel decodes as the system's library does, and tells
warnings; its encoder writes other tables, so Pillow's encodes, which has the usual ones.
"""

import warnings
from functools import cache, partial
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_LEAST = 16
"""Pixels; the sizes of smaller pictures are the same at several scales."""


class Turbo(Protocol):
    """A way to libjpeg-turbo."""

    def decode(self, data: bytes, shrink: int, pixels: Pixels) -> bool:
        """Decode to RGB uint8 (height, width, 3), reduced by 1, 2, 4 or 8 and rounded up; False if
        that is another size than `pixels` has. Raises OSError or ValueError with its words for any
        warning.
        """

    def encode(self, pixels: Pixels, quality: int, subsampling: str) -> bytes:
        """Encode RGB or RGBX uint8, contiguous, as a baseline JPEG; `subsampling` is 4:2:0 or
        4:4:4.
        """


@cache
def turbo() -> Turbo | None:
    """Load libjpeg-turbo; None if this machine has none. The first call may start processes that
    search for the library.
    """
    for way in (_OfSystem, _OfWheels):
        try:
            return way()
        except (ImportError, OSError, RuntimeError):
            continue
    return None


class _OfSystem:
    """The library that the system has, through PyTurboJPEG."""

    def __init__(self) -> None:
        import turbojpeg

        self._library: Any = turbojpeg
        self._turbo: Any = turbojpeg.TurboJPEG()

    def decode(self, data: bytes, shrink: int, pixels: Pixels) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                decoded = self._turbo.decode(
                    data,
                    self._library.TJPF_RGB,
                    scaling_factor=(1, shrink) if shrink > 1 else None,
                    flags=self._library.TJFLAG_ACCURATEDCT,
                    dst=pixels,
                )
            except UserWarning as warning:
                raise ValueError(str(warning)) from warning
        return decoded is pixels

    def encode(self, pixels: Pixels, quality: int, subsampling: str) -> bytes:
        of = self._library
        layout = of.TJPF_RGB if pixels.shape[2] == 3 else of.TJPF_RGBX
        chroma = of.TJSAMP_420 if subsampling == "4:2:0" else of.TJSAMP_444
        flags = of.TJFLAG_ACCURATEDCT
        return bytes(self._turbo.encode(pixels, quality, layout, chroma, flags=flags))


class _OfWheels:
    """The libraries inside the wheels of simplejpeg and Pillow."""

    def __init__(self) -> None:
        from PIL import Image
        from simplejpeg import decode_jpeg

        self._decode: Any = partial(decode_jpeg, colorspace="RGB", strict=True)
        self._image = Image

    def decode(self, data: bytes, shrink: int, pixels: Pixels) -> bool:
        height, width = pixels.shape[:2]
        if shrink > 1 and shrink * max(height, width) < _LEAST:
            raise ValueError("too small to tell its scale by its size")
        # simplejpeg takes the smallest scale that gives as much.
        least = {"min_height": height, "min_width": width} if shrink > 1 else {}
        decoded = self._decode(data, **least)
        if decoded.shape != pixels.shape:
            return False
        pixels[:] = decoded
        return True

    def encode(self, pixels: Pixels, quality: int, subsampling: str) -> bytes:
        file, rgb = BytesIO(), np.ascontiguousarray(pixels[..., :3])
        self._image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=subsampling)
        return file.getvalue()
