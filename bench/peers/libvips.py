"""The thumbnailer of libvips, which shrinks while it decodes; one thread, as in our workers.

A head is cut by decoding once more, in full and only as far down as it reaches.
"""

import os
from pathlib import Path

os.environ.setdefault("VIPS_CONCURRENCY", "1")

import pyvips

from bench.peers.region import Shares, rectangle

SIDE, QUALITY, ANY = 256, 90, 10**7


def resize(path: Path) -> bytes:
    return _thumbnail(path.read_bytes())


def resize_and_crop(path: Path, head: Shares) -> tuple[bytes, bytes]:
    data = path.read_bytes()
    image = pyvips.Image.new_from_buffer(data, "", access="sequential")
    left, top, right, bottom = rectangle(head, image.width, image.height)
    return _thumbnail(data), _encode(image.crop(left, top, right - left, bottom - top))


def _thumbnail(data: bytes) -> bytes:
    header = pyvips.Image.new_from_buffer(data, "")
    sides = (SIDE, ANY) if header.width <= header.height else (ANY, SIDE)
    return _encode(pyvips.Image.thumbnail_buffer(data, sides[0], height=sides[1], size="both"))


def _encode(image: pyvips.Image) -> bytes:
    if image.hasalpha():
        image = image.flatten(background=255)
    return bytes(image.jpegsave_buffer(Q=QUALITY, subsample_mode="on", keep="none"))
