"""Run networks with OpenCV, which is always installed."""

import cv2
import numpy as np

from dafre_fast.core.errors import UsageError
from dafre_fast.pixels.detectors.backends.base import Network, one_line
from dafre_fast.pixels.detectors.families.base import Floats, Outputs


def load(data: bytes, _input: str) -> Network:
    """Load a network from the bytes of an ONNX file. Raises UsageError if OpenCV cannot."""
    cv2.setNumThreads(0)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # exceptions say it
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
    except Exception as error:  # cv2.error, but for what it does not catch itself
        raise UsageError(f"OpenCV cannot read the model: {one_line(error)}") from error
    names = network.getUnconnectedOutLayersNames()

    def run(planes: Floats) -> Outputs:
        network.setInput(planes)
        outputs = network.forward(names)
        return {
            one: np.asarray(output, np.float32) for one, output in zip(names, outputs, strict=True)
        }

    return Network(run, f"OpenCV {cv2.__version__} on the CPU")
