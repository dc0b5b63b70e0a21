"""Settings that decide the bytes of an output: the recipe."""

import hashlib
from collections.abc import Collection
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.settings.fetching import Originals
from dafre_fast.core.settings.groups import Count, Group


class FullImage(Group, frozen=True):
    """What decides the bytes of a full image."""

    size: Annotated[
        int, Meta(ge=1, le=65_500, description="Short side of the full image, in pixels.")
    ] = 256
    exact: Annotated[
        bool,
        Meta(description="No shortcut but decoding JPEGs at no less than twice the size."),
    ] = False


class FaceImage(Group, frozen=True):
    """What decides the region and size of a face crop."""

    face_margin: Annotated[
        float, Meta(ge=0, le=10, description="Added on each side, as a share of the head box.")
    ] = 0.0
    face_size: Annotated[
        Count | None,
        Meta(description="Largest short side of a crop, in pixels. Default: as in the original."),
    ] = None


class Encoding(Group, frozen=True):
    """What decides the bytes of every output."""

    quality: Annotated[int, Meta(ge=1, le=100, description="JPEG quality.")] = 90
    subsampling: Annotated[
        Literal["4:2:0", "4:4:4"], Meta(description="Chroma of the JPEG files.")
    ] = "4:2:0"


class Bounds(Originals, frozen=True):
    """What one original may cost, known before a pixel is decoded, and what may be missing."""

    max_pixels: Annotated[Count, Meta(description="Largest original or output, in pixels.")] = (
        300_000_000
    )
    max_scans: Annotated[Count, Meta(description="Most scans of a JPEG.")] = 200
    max_frames: Annotated[Count, Meta(description="Most frames of an animation.")] = 10_000
    worker_memory: Annotated[
        int,
        Meta(ge=100_000_000, description="Memory that a worker may take for its work, in bytes."),
    ] = 1_000_000_000


class Recipe(Struct, frozen=True, kw_only=True):
    """All that decides an outcome: the pixels of the outputs, and what is refused instead."""

    revision: int = 3
    """Raised by whoever changes the code such that outputs change."""
    full: FullImage = FullImage()
    face: FaceImage = FaceImage()
    encoding: Encoding = Encoding()
    bounds: Bounds = Bounds()

    def hashes(self) -> "Hashes":
        """Of these settings as JSON: the first 16 hexadecimal digits of a SHA-256 each."""
        deciding = (self.revision, self.full, self.face, self.encoding)
        return Hashes(_hash(deciding), _hash((*deciding, self.bounds)))


class Hashes(NamedTuple):
    """Of a recipe, one without its bounds and one with them. One of them stands with each outcome
    in the ledger, so that other bounds make anew what followed from them and nothing else.
    """

    pixels: str
    bounded: str

    def of(self, reason: Reason | None, notes: Collection[Note] = ()) -> str:
        """The one for an outcome."""
        depends = reason is not None and reason.bounded
        return self.bounded if depends or Note.TRUNCATED in notes else self.pixels


def _hash(settings: object) -> str:
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:16]
