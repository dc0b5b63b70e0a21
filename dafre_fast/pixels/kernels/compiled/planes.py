"""Compiled spreading of channels over planes, as `pixels.kernels.planes` describes it."""

import numpy as np

_FLOAT = np.float32


def spread(pixels, mean, scale, planes):  # type: ignore[no-untyped-def]
    """Write `(channel - mean) * scale` of pixels to planes."""
    for y in range(pixels.shape[0]):
        row = pixels[y]
        red, green, blue = planes[0, y], planes[1, y], planes[2, y]
        for x in range(pixels.shape[1]):
            red[x] = (_FLOAT(row[x, 0]) - mean[0]) * scale
            green[x] = (_FLOAT(row[x, 1]) - mean[1]) * scale
            blue[x] = (_FLOAT(row[x, 2]) - mean[2]) * scale
