"""Run networks with OpenCV, which is always installed."""

import cv2
import numpy as np

from dafre_fast.core.errors import UsageError
from dafre_fast.pixels.detectors.backends.base import Network
from dafre_fast.pixels.detectors.families.base import Floats, Outputs


def load(data: bytes, _input: str) -> Network:
    """Load a network from the bytes of an ONNX file. Raises UsageError if OpenCV cannot."""
    cv2.setNumThreads(0)
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    except cv2.error as error:
        raise UsageError(f"OpenCV cannot read the model: {error.err}") from error
    names = network.getUnconnectedOutLayersNames()

    def run(planes: Floats) -> Outputs:
        network.setInput(planes)
        return dict(zip(names, network.forward(names), strict=True))

    return run
