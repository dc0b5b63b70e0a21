"""A detector: a network with its family, and the heads that it finds in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from msgspec import Struct

from dafre_fast.core.errors import Refusal, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box, Head
from dafre_fast.pixels.detectors.backends.base import Network, one_line
from dafre_fast.pixels.detectors.backends.choose import load as load_network
from dafre_fast.pixels.detectors.decide import Class, Options, decide_class, decide_family
from dafre_fast.pixels.detectors.families.base import Family, Floats, Found, Outputs
from dafre_fast.pixels.detectors.fit import Placed, blob, place
from dafre_fast.pixels.detectors.model import read_facts
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.rasters import Pixels

_MOST_BOXES = 1000
"""The best boxes that enter NMS; a picture has fewer heads."""
_ROUNDING = 1e-3
"""How far a score may be outside 0 to 1."""


class Settings(Struct, frozen=True, rename={"kind": "class"}):
    """How a network is used, as `decide` found it, but for the threshold."""

    family: str
    side: int
    """The long side of the input, in pixels."""
    fixed: Size | None
    fit: str
    step: int
    kind: Class
    nms: float | None


@dataclass(frozen=True)
class Detector:
    """A network that is loaded, and how it is used."""

    family: Family
    side: int
    """The long side of the input, in pixels."""
    fixed: Size | None
    """The size of the input, None if the network leaves it open."""
    kind: Class
    """The class to look for."""
    threshold: float
    nms: float | None
    network: Network

    @property
    def settings(self) -> Settings:
        """The settings that decide the boxes, besides the network itself."""
        family = self.family
        return Settings(
            family.name, self.side, self.fixed, family.fit, family.step, self.kind, self.nms
        )

    def find(self, pixels: Pixels) -> list[Head]:
        """Return the heads in a picture, RGB uint8 (height, width, 3 or 4), the surest first.

        Raises Refusal (DETECTOR_FAILED) if the network returns no numbers, or no scores.
        """
        height, width = pixels.shape[:2]
        placed = place(Size(width, height), self.family, self.side, self.fixed)
        try:
            outputs = self.network.run(blob(pixels, placed, self.family))
        except Exception as error:  # the libraries' exceptions share no base class but this
            raise Refusal(Reason.DETECTOR_FAILED, one_line(error)) from error
        return self._heads(self.family.read(outputs, placed.input), placed)

    def _heads(self, found: Found, placed: Placed) -> list[Head]:
        number = self.kind.number
        scores = found.scores[:, number] if number < found.scores.shape[1] else _NONE
        _check(scores)
        sure = np.flatnonzero(scores >= self.threshold)
        best = sure[np.argsort(-scores[sure], kind="stable")][:_MOST_BOXES]
        shares = placed.shares(found.boxes(best))
        if np.isnan(shares).any():
            raise Refusal(Reason.DETECTOR_FAILED, "a box is not a number")
        inside = (shares[:, 2:] > shares[:, :2]).all(axis=1)
        best, shares = best[inside], shares[inside]
        kept = _apart(shares, scores[best], self.nms)
        return [
            Head(Box(*map(float, shares[one])), min(float(scores[best[one]]), 1.0)) for one in kept
        ]


_NONE = np.zeros(0, np.float32)


def _check(scores: Floats) -> None:
    if np.isnan(scores).any():
        raise Refusal(Reason.DETECTOR_FAILED, "a score is not a number")
    if scores.size and not -_ROUNDING <= scores.min() <= scores.max() <= 1 + _ROUNDING:
        worst = scores.max() if scores.max() > 1 else scores.min()
        raise Refusal(Reason.DETECTOR_FAILED, f"a score is {worst:.3g}, not between 0 and 1")


def _apart(boxes: Floats, scores: Floats, nms: float | None) -> Sequence[int]:
    """Return the numbers of the boxes that do not overlap a better one by more than `nms`."""
    if nms is None or not len(boxes):
        return range(len(boxes))
    sizes = np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1)
    kept: list[int] = np.ravel(cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, nms)).tolist()
    return kept


def load(data: bytes, options: Options) -> Detector:
    """Load a detector from the bytes of an ONNX file.

    It is tried on an empty picture, which tells the family. Raises UsageError if the file is no
    model, if its outputs are of no known family, or if an option does not fit it.
    """
    facts = read_facts(data)
    network = load_network(data, facts.input, options.backend)
    fixed = Size(facts.width, facts.height) if facts.width and facts.height else None
    if fixed and options.side not in {None, max(fixed)}:
        raise UsageError(
            f"takes pictures of {fixed.width} x {fixed.height}, which --detect-side cannot change"
        )
    side = max(fixed) if fixed else options.side or facts.side
    trial = fixed or Size(side or _TRIAL, side or _TRIAL)
    outputs = _tried(network, trial)
    family = decide_family(outputs, options, facts)
    scores = family.read(outputs, trial).scores
    kind = decide_class(options, facts, scores.shape[1] if family.tells_classes else None)
    nms = family.nms if options.nms is None else options.nms
    return Detector(family, side or family.side, fixed, kind, options.threshold, nms, network)


_TRIAL = 256
"""Side of the empty picture for a network that takes any size, in pixels."""


def _tried(network: Network, size: Size) -> Outputs:
    try:
        return network.run(np.zeros((1, 3, size.height, size.width), np.float32))
    except Exception as error:
        raise UsageError(
            f"fails on a picture of {size.width} x {size.height}: {one_line(error)}"
        ) from error
