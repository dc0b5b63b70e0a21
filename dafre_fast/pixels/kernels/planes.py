"""Spread the channels of pixels over planes of floats, as networks take them."""

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import kernel
from dafre_fast.pixels.rasters import Pixels

_FLOAT = np.float32


def spread(
    pixels: Pixels, mean: NDArray[np.float32], scale: float, planes: NDArray[np.float32]
) -> None:
    """Write `(channel - mean) * scale` of pixels (height, width, 3 or 4), RGB or RGBX, to float32
    planes (3, height, width) of red, green and blue; `mean` has a number per plane.
    """
    _spread(np.ascontiguousarray(pixels), mean, _FLOAT(scale), planes)


@kernel("void(uint8[:, :, ::1], float32[::1], float32, float32[:, :, :])")
def _spread(pixels, mean, scale, planes):  # type: ignore[no-untyped-def]
    for y in range(pixels.shape[0]):
        row = pixels[y]
        red, green, blue = planes[0, y], planes[1, y], planes[2, y]
        for x in range(pixels.shape[1]):
            red[x] = (_FLOAT(row[x, 0]) - mean[0]) * scale
            green[x] = (_FLOAT(row[x, 1]) - mean[1]) * scale
            blue[x] = (_FLOAT(row[x, 2]) - mean[2]) * scale
