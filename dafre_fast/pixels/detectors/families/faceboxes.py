"""FaceBoxes: outputs `loc` (1, N, 4) and softmax `conf` (N, 2), for priors that tile the picture.

Source: Zhang et al., FaceBoxes: A CPU Real-time Face Detector with High Accuracy (2017), section
3.2 (anchor densification); variances 0.1 and 0.2 as in SSD (Liu et al., 2016).
"""

from functools import lru_cache
from math import ceil

import numpy as np

from dafre_fast.pixels.detectors.families.base import Family, Floats, Found, Outputs, from_centres
from dafre_fast.pixels.geometry import Size

_PRIORS = ((32, ((32, 4), (64, 2), (128, 1))), (64, ((256, 1),)), (128, ((512, 1),)))
"""Priors by size of cell: their sides, and how often one is repeated along each axis. All in
pixels."""


def _fits(outputs: Outputs) -> bool:
    if {*outputs} != {"loc", "conf"}:
        return False
    loc, conf = outputs["loc"], outputs["conf"]
    return loc.shape[-1] == 4 and conf.shape[-1] == 2 and loc.size == 2 * conf.size


def _read(outputs: Outputs, size: Size) -> Found:
    loc, conf = outputs["loc"].reshape(-1, 4), outputs["conf"].reshape(-1, 2)
    priors = _priors(size)
    with np.errstate(over="ignore"):  # an infinite box is none
        centres = priors[:, :2] + loc[:, :2] * 0.1 * priors[:, 2:]
        sizes = priors[:, 2:] * np.exp(loc[:, 2:] * 0.2)
    return Found(from_centres(np.concatenate((centres, sizes), axis=1)), conf[:, 1:])


@lru_cache(maxsize=64)
def _priors(size: Size) -> Floats:
    """Return centre x, centre y, width, height of all priors in pixels, (N, 4): by cell size, row,
    column, side, then offset y and x.
    """
    found = []
    for cell, sides in _PRIORS:
        offsets = [
            ((x + _middle(times)) / times, (y + _middle(times)) / times, side / cell, side / cell)
            for side, times in sides
            for y in range(times)
            for x in range(times)
        ]
        rows, columns = ceil(size.height / cell), ceil(size.width / cell)
        corner = np.zeros((rows, columns, 1, 4))
        corner[..., 0], corner[..., 1] = np.arange(columns)[:, None], np.arange(rows)[:, None, None]
        found.append(((corner + np.array(offsets)) * cell).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def _middle(times: int) -> float:
    """Return the first offset within a step: a prior that is not repeated sits in the middle."""
    return 0.5 if times == 1 else 0.0


FAMILY = Family(
    name="faceboxes",
    fits=_fits,
    read=_read,
    side=1024,
    fit="free",
    order="bgr",
    mean=(104, 117, 123),
    scale=1,
    nms=0.3,
)
