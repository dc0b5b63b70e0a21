"""Spread the channels of pixels over planes of floats, as networks take them."""

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel
from dafre_fast.pixels.rasters import Pixels

_SPREAD = Kernel(
    f"{__package__}.compiled.planes:spread",
    "void(uint8[:, :, ::1], float32[::1], float32, float32[:, :, :])",
)


def spread(
    pixels: Pixels, mean: NDArray[np.float32], scale: float, planes: NDArray[np.float32]
) -> None:
    """Write `(channel - mean) * scale` of pixels (height, width, 3 or 4), RGB or RGBX, to float32
    planes (3, height, width) of red, green and blue; `mean` has a number per plane.
    """
    _SPREAD(np.ascontiguousarray(pixels), mean, scale, planes)
