"""Pillow as in the scripts of DAF:re: decode the whole image, resize by Lanczos, save.

A head is cut from the same pixels.
"""

from io import BytesIO
from pathlib import Path

from PIL import Image

from bench.peers.region import Shares, rectangle

SIDE, QUALITY = 256, 90


def resize(path: Path) -> bytes:
    return _resized(_decode(path))


def resize_and_crop(path: Path, head: Shares) -> tuple[bytes, bytes]:
    image = _decode(path)
    return _resized(image), _encode(image.crop(rectangle(head, *image.size)))


def _decode(path: Path) -> Image.Image:
    with Image.open(BytesIO(path.read_bytes())) as opened:
        return opened.convert("RGB")


def _resized(image: Image.Image) -> bytes:
    short = min(image.size)
    width, height = (side * SIDE // short for side in image.size)
    return _encode(image.resize((width, height), Image.Resampling.LANCZOS))


def _encode(image: Image.Image) -> bytes:
    output = BytesIO()
    image.save(output, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return output.getvalue()
