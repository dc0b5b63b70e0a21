"""The floor: entropy decoding alone, which every way to a small image must do.

JPEG is decoded by libjpeg-turbo at scale 1/8, which does almost nothing with the coefficients. PNG
is inflated by libdeflate, without undoing the filters.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import deflate
from turbojpeg import TurboJPEG

_PNG = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Number of channels by colour type (PNG specification, 11.2.1)."""
_ROOM_FOR_INTERLACING = 1 << 16


def entropy_decode(path: Path) -> None:
    """Decode as little of a JPEG or PNG file as possible."""
    data = path.read_bytes()
    if data.startswith(_PNG):
        inflate(data)
    else:
        _turbo().decode(data, scaling_factor=(1, 8))


def inflate(png: bytes) -> bytes:
    """Return the filtered rows of a PNG."""
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    bits, colour = png[24], png[25]
    row = 1 + -(-width * bits * _CHANNELS[colour] // 8)
    compressed = b"".join(_idat(png))
    return deflate.zlib_decompress(compressed, height * row + _ROOM_FOR_INTERLACING)


def _idat(png: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += 12 + length


@cache
def _turbo() -> TurboJPEG:
    return TurboJPEG()
