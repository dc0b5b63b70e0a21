"""The interface of families: how a picture is prepared for a network, and its outputs are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.settings.detecting import Fit
from dafre_fast.pixels.geometry import Size

Floats = NDArray[np.float32]
Outputs = Mapping[str, Floats]
"""The outputs of a network by name, for a batch of one picture."""


Rows = NDArray[np.intp]
"""Numbers of boxes, in an order."""


class Found(NamedTuple):
    """N boxes that a network found, before any threshold."""

    scores: Floats
    """Score of each box for each class, (N, classes); 0 to 1."""
    boxes: Callable[[Rows], Floats]
    """Returns the boxes of some rows: left, top, right, bottom in pixels of the input, (rows, 4).
    Few of the boxes are sure enough to be read."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of detectors. `fits` and `read` are pure."""

    name: str
    fits: Callable[[Outputs], bool]
    """True if a network with these outputs is of this family."""
    read: Callable[[Outputs, Size], Found]
    """Read the outputs for an input of this size, in pixels."""
    side: int
    """The long side of the input, in pixels, where the network leaves it open."""
    fit: Fit = "letterbox"
    grey: int = 114
    """Fills what a letterbox leaves, 0 to 255."""
    step: int = 32
    """Sides of a letterbox are multiples of this, in pixels, where the network leaves them open."""
    order: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0, 0, 0)
    """Subtracted from the channels, in their order."""
    scale: float = 1 / 255
    """Multiplies the rest."""
    tells_classes: bool = True
    """True if the outputs show how many classes there are."""
    nms: float | None = 0.7
    """Boxes that overlap a better one by more than this (intersection over union) are the same
    head; None if the network leaves none of these."""


def only(outputs: Outputs) -> Floats | None:
    """Return the output (rows, columns) of a network that has one; None if it has others."""
    if len(outputs) != 1:
        return None
    (output,) = outputs.values()
    return output[0] if output.ndim == 3 and len(output) == 1 else None


def from_centres(centres: Floats) -> Floats:
    """Turn centre x, centre y, width, height, (N, 4), into left, top, right, bottom."""
    middle, half = centres[:, :2], centres[:, 2:4] / 2
    return np.concatenate((middle - half, middle + half), axis=1)
