"""The plan of the sample: characters, their images, the places of their heads, and two tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dafre_fast.core.atomic import replacing
from dafre_fast.core.layout import bucket
from dafre_fast.core.records import Box

SEED = 2018
_NAMES = (
    "aoi_(sample)",
    '"momo"_hoshino',
    "kaede,_the_fox",
    "ao/midori",
    "shiro_ō",
    "tsubame_(summer_festival)_(sample)",
)
_KEPT_CLASSES = (58, 44, 33, 25, 20, 20)
_SMALL_CLASSES = 60
_UNSURE_ROWS = 120
_LARGEST_ID = 3_000_000


class Kind(StrEnum):
    """Ways in which an original is stored."""

    JPEG = "jpeg"
    PROGRESSIVE = "progressive"
    PNG = "png"
    PNG_ALPHA = "png with alpha"
    GIF = "gif"
    TURNED = "jpeg with EXIF orientation"
    CMYK = "cmyk jpeg"
    WIDE_GAMUT = "jpeg with a Display P3 profile"
    DEEP = "16-bit png"
    TRUNCATED = "truncated jpeg"
    HTML = "html named .jpg"

    @property
    def extension(self) -> str:
        if self in (Kind.PNG, Kind.PNG_ALPHA, Kind.DEEP):
            return "png"
        return "gif" if self is Kind.GIF else "jpg"


# 200 originals: 71.5% JPEG (a seventh of them progressive), 27.5% PNG (a third with alpha), 1% GIF.
_KINDS = (
    [Kind.JPEG] * 118
    + [Kind.PROGRESSIVE] * 20
    + [Kind.PNG] * 36
    + [Kind.PNG_ALPHA] * 18
    + [Kind.GIF] * 2
    + [Kind.TURNED, Kind.CMYK, Kind.WIDE_GAMUT, Kind.DEEP, Kind.TRUNCATED, Kind.HTML]
)


@dataclass(frozen=True, slots=True)
class Portrait:
    """One original to draw."""

    id: int
    character: int
    """Number of the character, 0 to 5."""
    kind: Kind
    width: int
    """Pixels of the oriented picture."""
    height: int
    head_x: float
    """Centre of the head, in shares of the picture's short side."""
    head_y: float
    radius: float
    """Radius of the head, in shares of the picture's short side."""

    @property
    def name(self) -> str:
        """Path below the folder of originals."""
        return f"{bucket(self.id)}/{self.id}.{self.kind.extension}"

    @property
    def box(self) -> Box:
        """Edges of the head with its hair, in shares (0 to 1) of the oriented picture."""
        short = min(self.width, self.height)
        across, down = 1.12 * self.radius * short, 1.2 * self.radius * short
        x, y = self.head_x * short, self.head_y * short
        return Box(
            (x - across) / self.width,
            (y - down) / self.height,
            (x + across) / self.width,
            (y + down) / self.height,
        )


def portraits() -> list[Portrait]:
    """Return the originals of the sample, always the same."""
    rng = np.random.default_rng(SEED)
    ids = rng.choice(_LARGEST_ID, sum(_KEPT_CLASSES), replace=False) + 1
    characters = np.repeat(np.arange(len(_KEPT_CLASSES)), _KEPT_CLASSES)
    kinds = rng.permutation(np.array(_KINDS, dtype=object))
    return [
        _portrait(rng, int(image), int(character), kind)
        for image, character, kind in zip(ids, characters, kinds, strict=True)
    ]


def _portrait(rng: np.random.Generator, image: int, character: int, kind: Kind) -> Portrait:
    short = int(rng.integers(500, 2001 if kind is not Kind.GIF else 801))
    long = int(short * rng.uniform(1.0, 1.6))
    width, height = (long, short) if rng.random() < 0.3 else (short, long)
    radius = rng.uniform(0.12, 0.24)
    return Portrait(
        id=image,
        character=character,
        kind=kind,
        width=width,
        height=height,
        head_x=rng.uniform(0.35, 0.65) * width / short,
        head_y=rng.uniform(1.3 * radius, 0.42),
        radius=radius,
    )


class Head(NamedTuple):
    """A row of faces.tsv."""

    id: int
    tag_id: int
    box: Box
    confidence: float


def heads(drawn: list[Portrait]) -> list[Head]:
    """Return the rows of faces.tsv, in order.

    The heads of the originals are among many rows that the catalogue leaves out: a long tail of
    small classes, and heads of low confidence.
    """
    rng = np.random.default_rng(SEED + 1)
    rows = [Head(one.id, tag_of(one.character), one.box, _sure(rng)) for one in drawn]
    rows += _tail(rng, {image.id for image in drawn})
    return [rows[i] for i in rng.permutation(len(rows))]


def tag_of(character: int) -> int:
    """Return the tag id of a character that is drawn."""
    return 10 * character


def tag_names() -> dict[int, str]:
    """Return the names of all tag ids."""
    drawn = {tag_of(number): name for number, name in enumerate(_NAMES)}
    return drawn | {tag: f"passer-by_{tag}" for tag in _small_tags()}


def write_tables(drawn: list[Portrait], faces: Path, tag_ids: Path) -> None:
    """Write faces.tsv and tagIds.tsv in the form of the real ones."""
    with replacing(faces) as part:
        rows = "".join(map(_row, heads(drawn)))
        part.write_text(rows, encoding="utf-8", newline="\n")
    with replacing(tag_ids) as part:
        lines = (f"{name}\t{tag}\n" for tag, name in tag_names().items())
        part.write_text("".join(lines), encoding="utf-8", newline="\n")


def _small_tags() -> range:
    return range(101, 101 + _SMALL_CLASSES)


def _tail(rng: np.random.Generator, taken: set[int]) -> Iterator[Head]:
    ids = (int(i) for i in rng.permutation(_LARGEST_ID) + 1 if i + 1 not in taken)
    for place, tag in enumerate(_small_tags(), 1):
        for _ in range(max(1, 19 // place)):
            yield Head(next(ids), tag, Box(0.3, 0.1, 0.7, 0.5), _sure(rng))
    for _ in range(_UNSURE_ROWS):
        tag = tag_of(int(rng.integers(0, len(_NAMES))))
        yield Head(next(ids), tag, Box(0.2, 0.2, 0.6, 0.6), float(rng.uniform(0.3, 0.849)))


def _sure(rng: np.random.Generator) -> float:
    return float(rng.uniform(0.85, 1.0))


def _row(head: Head) -> str:
    edges = ", ".join(f"{edge:.6f}" for edge in head.box)
    path = f"{bucket(head.id)}\\{head.id}.jpg"
    return f"{path}\t{head.tag_id}\t{edges} {head.confidence:.6f}\n"
