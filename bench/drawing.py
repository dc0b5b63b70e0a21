"""Pictures that cost a decoder as much as real ones of anime do. Pure; needs nothing of dafre_fast.

They have what illustrations have: soft gradients, flat areas that are free of noise, hundreds of
thin lines with soft edges, shading, and grain in some places of some pictures alone. Grain
everywhere, which is easily drawn, leads to files of another kind: encoders of PNG then choose other
filters, and inflating has no matches to copy.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_SHIFT = 4
"""Fraction bits of coordinates, which OpenCV takes in 1/16 of a pixel."""
_SHAPES, _BUNDLES, _STRANDS = 30, 14, 16
_GRAINY = 0.4
"""Share of the pictures that have grain anywhere."""


def paint(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Return a picture, uint8 (height, width, 3). The same numbers give the same picture."""
    picture = _gradient(rng, width, height, contrast=90)
    short = min(width, height)
    for number in range(_SHAPES):
        _shape(rng, picture, short * 0.5 / (1 + 0.15 * number))
    for _ in range(_BUNDLES):
        _strands(rng, picture, short)
    return _shaded(rng, picture)


def figure(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """Return an alpha channel, uint8 (height, width): opaque within a smooth outline."""
    alpha = np.zeros((height, width), np.uint8)
    centre, radius = np.array([width, height]) / 2, min(width, height) * 0.42
    cv2.fillPoly(alpha, [_outline(rng, centre, radius)], 255, cv2.LINE_AA, _SHIFT)
    return alpha


def _gradient(rng: np.random.Generator, width: int, height: int, contrast: float) -> Pixels:
    coarse = rng.uniform(60, 230, 3) + rng.uniform(-contrast, contrast, (4, 3, 3))
    smooth = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def _shape(rng: np.random.Generator, picture: Pixels, size: float) -> None:
    """Fill an outline with one colour or with a gradient, and ink its edge."""
    height, width = picture.shape[:2]
    centre = rng.uniform(0, 1, 2) * (width, height)
    points = _outline(rng, centre, size * rng.uniform(0.3, 1.0))
    if rng.random() < 0.7:
        cv2.fillPoly(picture, [points], _colour(rng), cv2.LINE_AA, _SHIFT)
    else:
        mask = np.zeros((height, width), np.uint8)
        cv2.fillPoly(mask, [points], 255, cv2.LINE_8, _SHIFT)
        cv2.copyTo(_gradient(rng, width, height, contrast=45), mask, picture)
    ink = tuple(rng.uniform(10, 90, 3))
    thick = int(rng.integers(1, 5))
    cv2.polylines(picture, [points], True, ink, thick, cv2.LINE_AA, _SHIFT)


def _strands(rng: np.random.Generator, picture: Pixels, short: int) -> None:
    """Draw curved lines side by side, of nearly the same colour, as of hair and folds."""
    height, width = picture.shape[:2]
    start = rng.uniform(0, 1, 2) * (width, height)
    bends = np.cumsum(rng.normal(0, short * 0.11, (4, 2)), axis=0)
    along = np.linspace(0, 1, 40)[:, None]
    weights = np.hstack(
        [(1 - along) ** 3, 3 * along * (1 - along) ** 2, 3 * along**2 * (1 - along), along**3]
    )
    colour = np.array(_colour(rng))
    spread = short * rng.uniform(0.02, 0.09)
    for _ in range(_STRANDS):
        points = start + rng.normal(0, spread, 2) + weights @ (bends + rng.normal(0, spread, 2))
        tint = tuple(np.clip(colour + rng.uniform(-35, 35), 0, 255))
        thick = int(rng.integers(1, 4))
        line = _fixed(points)
        cv2.polylines(picture, [line], False, tint, thick, cv2.LINE_AA, _SHIFT)


def _shaded(rng: np.random.Generator, picture: Pixels) -> Pixels:
    """Return the picture with light and shade in parts of it, a soft texture, and grain in parts of
    it, if it is one with grain.
    """
    height, width = picture.shape[:2]
    light = np.clip(_smooth(rng, width, height, 5) * 26, 0, None)
    texture = np.clip(_smooth(rng, width, height, 4) * 3 - 1.0, 0, 1.8)
    light += texture * _smooth(rng, width, height, max(width, height) // 5)
    if rng.random() < _GRAINY:
        amount = np.clip(_smooth(rng, width, height, 6) * rng.uniform(1, 5), 0, 7)
        light += amount * rng.standard_normal((height, width), np.float32)
    return np.clip(picture + light[..., None], 0, 255).astype(np.uint8)


def _smooth(rng: np.random.Generator, width: int, height: int, cells: int) -> NDArray[np.float32]:
    """Return smooth noise around 0, about as many waves as `cells` across."""
    coarse = rng.standard_normal((cells, cells), np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _outline(
    rng: np.random.Generator, centre: NDArray[np.float64], radius: float
) -> NDArray[np.int32]:
    angles = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    waves = sum(
        rng.normal(0, 0.28 / order) * np.cos(order * angles + rng.uniform(0, 6.3))
        for order in range(1, 7)
    )
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _fixed(centre + radius * (1 + waves)[:, None] * around)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    red, green, blue = rng.uniform(30, 255, 3)
    return float(red), float(green), float(blue)
