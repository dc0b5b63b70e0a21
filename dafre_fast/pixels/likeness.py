"""A perceptual hash: images that look the same have nearly the same hash, also if re-encoded,
resized, slightly cropped or brightened.

Like PDQ (Facebook 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing
algorithm"), it takes the 16 x 16 lowest frequencies of the grey image, without the constant ones,
and sets a bit for each that is above their median. Unlike PDQ, it transforms the image as the
decoder shrinks it, not 64 x 64 means: the transform is linear, and a step is saved.

Chosen by measurement on 138 real and 198 drawn images, each edited in 15 ways. If 3 of 16 bits may
differ, 48 of 256, nearly all edits are found, and unrelated real images are 9.4 standard deviations
away. Other hashes reach 6.0 (dHash, 256 bits), 4.3 (pHash, 64) and 3.2 (dHash, 64); 4.3 means a
million false pairs among the 10^11 of a large dataset.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.geometry import Size

HASH_BYTES = 32
_SIDE = 16
"""Number of frequencies in each direction: 1 to 16 half waves."""
_LEAST_PIXELS = 64
"""Least short side to decode, unless the image is smaller: four pixels to the shortest wave."""
_SCALES = {
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: cv2.IMREAD_GRAYSCALE,
}
_LEAST_DETAIL = 0.025
"""Grey levels that half of the frequencies must exceed. Saving a JPEG at quality 60 changes them by
up to 0.018; the faintest real images have 0.2.
"""
# Each 16 bits of the hash mix all frequencies. Neighbouring frequencies are correlated: as rows of
# them, some words would be far more frequent than others, and the search for pairs slow.
_ORDER = np.add.outer(np.arange(_SIDE), np.arange(_SIDE)) % _SIDE + np.arange(_SIDE) * _SIDE


def likeness(data: bytes, size: Size) -> bytes | None:
    """Return the hash, HASH_BYTES long, of an image of this size; None if it has too little detail.

    The distance of two images is the number of bits, of 256, in which their hashes differ. Raises
    Refusal (CORRUPT) if the file cannot be decoded.
    """
    frequencies = _frequencies(_grey(data, size))
    if _middle(np.abs(frequencies)) < _LEAST_DETAIL:
        return None
    return np.packbits((frequencies > _middle(frequencies)).take(_ORDER)).tobytes()


def _middle(values: NDArray[np.float32]) -> np.float32:
    """Return the lower of the two middle values: half of all are above it."""
    middle = values.size // 2 - 1
    found: np.float32 = np.partition(values.ravel(), middle)[middle]
    return found  # six times faster than np.median


def _grey(data: bytes, size: Size) -> NDArray[np.uint8]:
    shrink = next((scale for scale in _SCALES if min(size) >= scale * _LEAST_PIXELS), 1)
    try:
        grey = cv2.imdecode(np.frombuffer(data, np.uint8), _SCALES[shrink])
    except cv2.error as error:
        raise Refusal(Reason.CORRUPT, str(error)) from error
    if grey is None:
        raise Refusal(Reason.CORRUPT, "is not decoded")
    return np.asarray(grey, np.uint8)


def _frequencies(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the lowest coefficients of the orthonormal DCT-II, (16, 16), in grey levels: the root
    mean square over the image of each wave.
    """
    height, width = grey.shape
    return (_waves(height) @ grey.astype(np.float32)) @ _waves(width).T


@lru_cache(4096)
def _waves(pixels: int) -> NDArray[np.float32]:
    half_waves = np.arange(1, _SIDE + 1)[:, None]
    places = (np.arange(pixels) + 0.5) / pixels
    waves = np.sqrt(2) / pixels * np.cos(np.pi * half_waves * places)
    return np.asarray(waves, np.float32)
