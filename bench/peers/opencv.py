"""OpenCV as in img2dataset: decode the whole image, area averaging, encode; white background."""

from pathlib import Path

import cv2
import numpy as np

SIDE, QUALITY = 256, 90

cv2.setNumThreads(1)


def resize(path: Path) -> bytes:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] == 4:
        alpha = image[..., 3:]
        image = np.rint(alpha / 255 * image[..., :3] + 255 - alpha).astype(np.uint8)
    height, width = image.shape[:2]
    short = min(width, height)
    size = width * SIDE // short, height * SIDE // short
    shrinking = short > SIDE
    image = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LANCZOS4
    )
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
