"""Draw cartoon characters with OpenCV: one look per character, one pose per image."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from dafre_fast.sample.cast import Kind, Portrait

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

_SKIN: Colour = (255, 226, 206)
_INK: Colour = (70, 48, 60)
_LOOKS: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    # hair, eyes, clothes, background
    ((74, 120, 214), (40, 80, 190), (240, 240, 250), (206, 228, 255)),
    ((246, 150, 176), (190, 60, 110), (255, 214, 120), (255, 236, 240)),
    ((222, 126, 52), (60, 140, 70), (120, 70, 60), (255, 240, 214)),
    ((70, 170, 140), (110, 60, 160), (60, 90, 120), (222, 250, 240)),
    ((236, 236, 244), (210, 60, 60), (50, 50, 70), (210, 206, 232)),
    ((52, 44, 60), (220, 150, 40), (220, 70, 80), (40, 56, 110)),
)
_LOOK_TAGS = (
    ("blue_hair", "blue_eyes", "white_shirt", "blue_background"),
    ("pink_hair", "pink_eyes", "yellow_shirt", "pink_background"),
    ("orange_hair", "green_eyes", "brown_shirt", "beige_background"),
    ("green_hair", "purple_eyes", "blue_shirt", "green_background"),
    ("white_hair", "red_eyes", "black_shirt", "purple_background"),
    ("black_hair", "orange_eyes", "red_shirt", "blue_background"),
)
_WIDE = 0.7
_SHIFT = 4
"""Fraction bits of coordinates, which OpenCV takes in 1/16 of a pixel."""
_TILE = 256
"""Side of the paper's texture in pixels, from which on it repeats."""


class _Face(NamedTuple):
    """Expression of a face."""

    eyes_open: bool
    smile: float
    """Width of the smile, 0.3 to 1."""


def draw(portrait: Portrait) -> tuple[Pixels, Pixels]:
    """Return the oriented picture, RGB uint8 (height, width, 3), and where the figure is, uint8
    (height, width): 0 in the background.
    """
    width, height = portrait.width, portrait.height
    rng = np.random.default_rng(portrait.id)
    hair, eyes, clothes, background = _LOOKS[portrait.character]
    pixels = _scenery(rng, width, height, background)
    face = _face(rng)
    figure = _Figure(np.zeros((height, width), np.uint8), pixels, portrait)
    figure.body(clothes)
    figure.hair_behind(hair, long=_has_long_hair(portrait))
    figure.ellipse(_SKIN, 0, 0.12, 0.82, 0.92)
    figure.eyes(eyes, open_=face.eyes_open)
    figure.mouth(face.smile)
    figure.fringe(hair, strands=4 + portrait.character)
    return _grain(rng, pixels), figure.mask


def describe(portrait: Portrait) -> list[str]:
    """Return general tags of Danbooru for what a picture shows."""
    rng = np.random.default_rng(portrait.id)
    for _ in _discs(rng, portrait.width, portrait.height):
        pass  # drawn before the face, from the same random numbers
    face = _face(rng)
    *look, background = _LOOK_TAGS[portrait.character]
    tags = ["1girl", "solo", "bangs", "blush", "open_mouth", "smile", *look]
    tags.append("long_hair" if _has_long_hair(portrait) else "short_hair")
    tags.append("looking_at_viewer" if face.eyes_open else "closed_eyes")
    if face.smile > _WIDE:
        tags.append(":d")
    transparent = portrait.kind is Kind.PNG_ALPHA
    return [*tags, "transparent_background" if transparent else background]


def _face(rng: np.random.Generator) -> _Face:
    return _Face(bool(rng.random() < 0.85), rng.uniform(0.3, 1.0))


def _has_long_hair(portrait: Portrait) -> bool:
    return portrait.character % 2 == 0


def _scenery(rng: np.random.Generator, width: int, height: int, colour: Colour) -> Pixels:
    """Draw a background that fades downwards, with soft discs in it."""
    fade = np.linspace(1.0, 0.72, height)[:, None, None]
    column = (np.array(colour) * fade).astype(np.uint8)
    pixels: Pixels = cv2.resize(column, (width, height), interpolation=cv2.INTER_NEAREST)
    for disc in _discs(rng, width, height):
        tint = tuple(int(min(255, c * t)) for c, t in zip(colour, disc.tints, strict=True))
        cv2.circle(pixels, disc.centre, disc.radius, tint, -1, cv2.LINE_AA)
    return pixels


class _Disc(NamedTuple):
    """A disc of the background."""

    centre: tuple[int, int]
    """Pixels from the left and from the top."""
    tints: list[float]
    """Factors of red, green and blue."""
    radius: int
    """Pixels."""


def _discs(rng: np.random.Generator, width: int, height: int) -> Iterator[_Disc]:
    for _ in range(14):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        tints = rng.uniform(0.85, 1.15, 3).tolist()
        yield _Disc(centre, tints, int(min(width, height) * rng.uniform(0.02, 0.12)))


def _grain(rng: np.random.Generator, pixels: Pixels) -> Pixels:
    """Add a texture like paper, in place: files become about as large as real ones."""
    texture = np.floor(rng.normal(0, 2.2, (_TILE, _TILE)))
    lighter, darker = (
        cv2.merge([np.clip(one, 0, None).astype(np.uint8)] * 3) for one in (texture, -texture)
    )
    for y in range(0, pixels.shape[0], _TILE):
        for x in range(0, pixels.shape[1], _TILE):
            part = pixels[y : y + _TILE, x : x + _TILE]
            rows, columns = part.shape[:2]
            part[:] = cv2.subtract(cv2.add(part, lighter[:rows, :columns]), darker[:rows, :columns])
    return pixels


class _Figure:
    """Draws a figure on a picture and on its mask; the unit is the head's radius, from its centre.

    `mask` and `pixels` are uint8 (height, width) and (height, width, 3), changed in place.
    """

    def __init__(self, mask: Pixels, pixels: Pixels, portrait: Portrait) -> None:
        self.mask, self._pixels = mask, pixels
        short = min(portrait.width, portrait.height)
        self._x, self._y = portrait.head_x * short, portrait.head_y * short
        self._unit = portrait.radius * short
        self._line = max(1, round(self._unit * 0.025))

    def _at(self, x: float, y: float) -> tuple[int, int]:
        scale = 1 << _SHIFT
        return round((self._x + x * self._unit) * scale), round((self._y + y * self._unit) * scale)

    def ellipse(self, colour: Colour, x: float, y: float, across: float, down: float) -> None:
        scale = self._unit * (1 << _SHIFT)
        axes = (round(across * scale), round(down * scale))
        for target, fill, line in ((self._pixels, colour, _INK), (self.mask, 255, 255)):
            shape = (target, self._at(x, y), axes, 0, 0, 360)
            cv2.ellipse(*shape, fill, -1, cv2.LINE_AA, _SHIFT)
            cv2.ellipse(*shape, line, self._line, cv2.LINE_AA, _SHIFT)

    def polygon(self, colour: Colour, *points: tuple[float, float]) -> None:
        corners = [np.array([self._at(*point) for point in points], np.int32)]
        for target, fill, line in ((self._pixels, colour, _INK), (self.mask, 255, 255)):
            cv2.fillPoly(target, corners, fill, cv2.LINE_AA, _SHIFT)
            cv2.polylines(target, corners, True, line, self._line, cv2.LINE_AA, _SHIFT)

    def body(self, clothes: Colour) -> None:
        self.polygon(_SKIN, (-0.2, 0.8), (0.2, 0.8), (0.26, 1.5), (-0.26, 1.5))
        self.polygon(
            clothes,
            (-0.35, 1.3),
            (0.35, 1.3),
            (1.15, 1.75),
            (1.7, 12.0),
            (-1.7, 12.0),
            (-1.15, 1.75),
        )
        self.polygon(_INK, (-0.2, 1.32), (0.2, 1.32), (0.0, 1.75))

    def hair_behind(self, hair: Colour, *, long: bool) -> None:
        self.ellipse(hair, 0, -0.08, 1.08, 1.1)
        if long:
            for side in (-1, 1):
                strand = ((1.08, -0.1), (1.02, 1.15), (0.74, 1.18), (0.6, 0.2))
                self.polygon(hair, *((side * x, y) for x, y in strand))

    def eyes(self, colour: Colour, *, open_: bool) -> None:
        for side in (-0.36, 0.36):
            if open_:
                self.ellipse((255, 255, 255), side, 0.3, 0.2, 0.25)
                self.ellipse(colour, side, 0.32, 0.14, 0.2)
                self.ellipse((255, 255, 255), side - 0.05, 0.24, 0.045, 0.06)
            else:
                self.polygon(_INK, (side - 0.18, 0.34), (side, 0.42), (side + 0.18, 0.34))

    def mouth(self, smile: float) -> None:
        self.polygon((210, 90, 100), (-0.13, 0.72), (0.13, 0.72), (0.0, 0.72 + 0.14 * smile))
        for side in (-0.52, 0.52):
            self.ellipse((255, 190, 190), side, 0.6, 0.1, 0.05)

    def fringe(self, hair: Colour, strands: int) -> None:
        turn = np.linspace(np.pi, 2 * np.pi, 24)
        cap = zip(1.04 * np.cos(turn), 1.14 * np.sin(turn) - 0.04, strict=True)
        self.polygon(hair, *cap)
        edges = np.linspace(-1.02, 1.02, strands + 1)
        for left, right in pairwise(edges):
            middle = (left + right) / 2
            tip = 0.26 - 0.3 * (1 - abs(middle))
            self.polygon(hair, (left, -0.12), (right, -0.12), (middle, tip))
