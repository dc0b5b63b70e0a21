"""FaceBoxes: outputs `loc` (1, N, 4) and softmax `conf` (N, 2), for priors that tile the picture.

Source: Zhang et al., FaceBoxes: A CPU Real-time Face Detector with High Accuracy (2017), section
3.2 (anchor densification); variances 0.1 and 0.2 as in SSD (Liu et al., 2016).
"""

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from dafre_fast.pixels.detectors.families.base import (
    Family,
    Floats,
    Found,
    Outputs,
    Rows,
    from_centres,
)
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
    return Found(outputs["conf"].reshape(-1, 2)[:, 1:], lambda these: _boxes(outputs, size, these))


def _boxes(outputs: Outputs, size: Size, these: Rows) -> Floats:
    loc, priors = outputs["loc"].reshape(-1, 4)[these], _priors(size, these)
    with np.errstate(over="ignore"):  # an infinite box is none
        centres = priors[:, :2] + loc[:, :2] * 0.1 * priors[:, 2:]
        sizes = priors[:, 2:] * np.exp(loc[:, 2:] * 0.2)
    return from_centres(np.concatenate((centres, sizes), axis=1))


def _priors(size: Size, these: Rows) -> Floats:
    """Return centre x, centre y, width, height of some priors in pixels, (N, 4). They are numbered
    by cell size, row, column, side, then offset y and x.
    """
    priors, first = np.zeros((len(these), 4)), 0
    for cell, sides in _PRIORS:
        offsets = _offsets(cell, sides)
        rows, columns = ceil(size.height / cell), ceil(size.width / cell)
        after = first + rows * columns * len(offsets)
        here = (these >= first) & (these < after)
        cells, numbers = np.divmod(these[here] - first, len(offsets))
        priors[here] = offsets[numbers]
        priors[here, :2] += np.stack((cells % columns, cells // columns), axis=1)
        priors[here] *= cell
        first = after
    return priors.astype(np.float32)


def _offsets(cell: int, sides: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the priors of one cell in units of its size: centre x, centre y, width, height."""
    return np.array(
        [
            ((x + _middle(times)) / times, (y + _middle(times)) / times, side / cell, side / cell)
            for side, times in sides
            for y in range(times)
            for x in range(times)
        ]
    )


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
