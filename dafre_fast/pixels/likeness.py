"""A hash that pictures share which look the same: re-encoded, resized, slightly cropped, brighter.

As PDQ (Facebook 2019, "The TMK+PDQF video-hashing algorithm and the PDQ image-hashing algorithm"):
the 16 x 16 lowest frequencies of a grey picture but the constant ones, a bit for each that is above
their median. Unlike PDQ the cosine transform is taken of the decoded picture as it is, shrunk by
the decoder, and not of 64 x 64 means: it is linear, and this is one step less.

It was chosen by measurement, on 138 real and 198 drawn pictures, each edited in 15 ways. Where 3 of
16 bits may differ, 48 of 256, nearly all edits are found, and real pictures that are unrelated are
9.4 standard deviations away. Of other hashes it is 6.0 (dHash of 256 bits), 4.3 (pHash of 64) and
3.2 (dHash of 64); 4.3 is a million false pairs among the 10^11 of a large dataset.
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
"""Frequencies in each direction: 1 to 16 half waves."""
_LEAST_PIXELS = 64
"""Of the short side that is decoded, where there are as many: four to the shortest wave."""
_SCALES = {
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: cv2.IMREAD_GRAYSCALE,
}
_LEAST_DETAIL = 0.025
"""Grey levels: half of the frequencies must have more. Saving a JPEG with quality 60 changes them
by up to 0.018; of real pictures the faintest have 0.2.
"""
# Each 16 bits of the hash mix all frequencies. In many pictures neighbours go together: of rows of
# them some would be far more frequent than others, and the search for pairs slow.
_ORDER = np.add.outer(np.arange(_SIDE), np.arange(_SIDE)) % _SIDE + np.arange(_SIDE) * _SIDE


def likeness(data: bytes, size: Size) -> bytes | None:
    """The hash of a JPEG of this size; None where the picture is too plain to have one.

    The distance of two pictures is the number of bits in which their hashes differ, of 256. Raises
    Refusal where it cannot be decoded.
    """
    frequencies = _frequencies(_grey(data, size))
    if _middle(np.abs(frequencies)) < _LEAST_DETAIL:
        return None
    return np.packbits((frequencies > _middle(frequencies)).take(_ORDER)).tobytes()


def _middle(values: NDArray[np.float32]) -> np.float32:
    """The lower of the two in the middle: half of all are above it."""
    middle = values.size // 2 - 1
    found: np.float32 = np.partition(values.ravel(), middle)[middle]
    return found  # in a sixth of the time of np.median


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
    """The lowest of the orthonormal DCT-II, in grey levels: the root of the mean square over the
    picture that each contributes.
    """
    height, width = grey.shape
    return (_waves(height) @ grey.astype(np.float32)) @ _waves(width).T


@lru_cache(4096)
def _waves(pixels: int) -> NDArray[np.float32]:
    half_waves = np.arange(1, _SIDE + 1)[:, None]
    places = (np.arange(pixels) + 0.5) / pixels
    waves = np.sqrt(2) / pixels * np.cos(np.pi * half_waves * places)
    return np.asarray(waves, np.float32)
