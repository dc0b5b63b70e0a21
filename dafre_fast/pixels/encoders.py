"""Encode pixels to a file of each format that outputs may have."""

import numpy as np

from dafre_fast.core.settings.images import Encoding
from dafre_fast.pixels.decoders import jpeg
from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.pixels.rasters import Pixels


def encode(pixels: Pixels, encoding: Encoding) -> bytes:
    """Encode RGB or RGBX uint8 (height, width, 3 or 4) without metadata: as a baseline JPEG, as a
    lossy WebP, or as a PNG.
    """
    match encoding.encode_format:
        case "webp":
            return bytes(_image(pixels).webpsave_buffer(Q=encoding.quality, keep="none"))
        case "png":
            return bytes(_image(pixels).pngsave_buffer(filter="all", keep="none"))
        case "jpg":
            return jpeg.encode(pixels, encoding.quality, encoding.subsampling)


def _image(pixels: Pixels) -> pyvips.Image:
    # The image shares the memory of the array, which outlives it here.
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels[..., :3]))
    return image.copy(interpretation="srgb")
