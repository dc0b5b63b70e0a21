"""OpenCV as in img2dataset: decode the whole image, area averaging, encode; white background.

A head is cut from the same pixels.
"""

from pathlib import Path

import cv2
import numpy as np

from bench.peers.region import Shares, rectangle

SIDE, QUALITY = 256, 90

cv2.setNumThreads(1)


def resize(path: Path) -> bytes:
    return _resized(_decode(path))


def resize_and_crop(path: Path, head: Shares) -> tuple[bytes, bytes]:
    image = _decode(path)
    left, top, right, bottom = rectangle(head, image.shape[1], image.shape[0])
    return _resized(image), _encode(image[top:bottom, left:right])


def _decode(path: Path) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if image.ndim == 3 and image.shape[2] == 4:
        alpha = image[..., 3:]
        return np.rint(alpha / 255 * image[..., :3] + 255 - alpha).astype(np.uint8)
    return image


def _resized(image: np.ndarray) -> bytes:
    height, width = image.shape[:2]
    short = min(width, height)
    size = width * SIDE // short, height * SIDE // short
    way = cv2.INTER_AREA if short > SIDE else cv2.INTER_LANCZOS4
    return _encode(cv2.resize(image, size, interpolation=way))


def _encode(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
