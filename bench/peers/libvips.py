"""The thumbnailer of libvips, which shrinks while it decodes; one thread, as in our workers."""

import os
from pathlib import Path

os.environ.setdefault("VIPS_CONCURRENCY", "1")

import pyvips

SIDE, QUALITY, ANY = 256, 90, 10**7


def resize(path: Path) -> bytes:
    data = path.read_bytes()
    header = pyvips.Image.new_from_buffer(data, "")
    sides = (SIDE, ANY) if header.width <= header.height else (ANY, SIDE)
    image = pyvips.Image.thumbnail_buffer(data, sides[0], height=sides[1], size="both")
    if image.hasalpha():
        image = image.flatten(background=255)
    return bytes(image.jpegsave_buffer(Q=QUALITY, subsample_mode="on", keep="none"))
