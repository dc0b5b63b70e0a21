"""The recipe: settings that decide which outputs are made of an original, and their bytes."""

import hashlib
import re
from collections.abc import Collection
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from dafre_fast.core.errors import UsageError
from dafre_fast.core.layout import FACES, FULL
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.settings.fetching import Originals
from dafre_fast.core.settings.groups import Count, Group

ResizeMode = Literal["keep_ratio", "keep_ratio_largest", "center_crop", "border", "no"]
"""How a whole picture is brought to the size of an output. The names are those of img2dataset."""
EncodeFormat = Literal["jpg", "webp", "png"]
"""The format of outputs, and the extension of their files."""


class FullImage(Group, frozen=True):
    """Flags of the full image."""

    size: Annotated[
        int, Meta(ge=1, le=65_500, description="Short side of the full image, in pixels.")
    ] = 256
    exact: Annotated[
        bool,
        Meta(description="No shortcut but decoding JPEGs at no less than twice the size."),
    ] = False
    resize_mode: Annotated[
        ResizeMode,
        Meta(
            description="keep_ratio: short side of --size; keep_ratio_largest: long side;"
            " center_crop: the middle square; border: a square filled up with white; no: as it is."
        ),
    ] = "keep_ratio"


class FaceImage(Group, frozen=True):
    """Flags of the head crop: its region and its size."""

    face_margin: Annotated[
        float, Meta(ge=0, le=10, description="Added on each side, as a share of the head box.")
    ] = 0.0
    face_size: Annotated[
        Count | None,
        Meta(description="Largest short side of a crop, in pixels. Default: as in the original."),
    ] = None


_QUALITY = 90


class Encoding(Group, frozen=True):
    """Flags of the encoder, for every output.

    Raises UsageError for a setting that the format does not have.
    """

    quality: Annotated[int, Meta(ge=1, le=100, description="Quality of JPEG and WebP.")] = _QUALITY
    subsampling: Annotated[
        Literal["4:2:0", "4:4:4"], Meta(description="Chroma of the JPEG files.")
    ] = "4:2:0"
    encode_format: Annotated[
        EncodeFormat, Meta(description="Format of the images; PNG loses nothing.")
    ] = "jpg"

    def __post_init__(self) -> None:
        if self.encode_format == "png" and self.quality != _QUALITY:
            raise UsageError(f"--quality {self.quality}: PNG loses nothing, and has no quality")
        if self.encode_format != "jpg" and self.subsampling == "4:4:4":
            raise UsageError(f"--subsampling 4:4:4 is for JPEG, not for {self.encode_format}")


class Bounds(Originals, frozen=True):
    """Limits on what one original may cost, checked before a pixel is decoded, and whether a
    truncated one is kept.
    """

    max_pixels: Annotated[Count, Meta(description="Largest original or output, in pixels.")] = (
        300_000_000
    )
    max_scans: Annotated[Count, Meta(description="Most scans of a JPEG.")] = 200
    max_frames: Annotated[Count, Meta(description="Most frames of an animation.")] = 10_000
    worker_memory: Annotated[
        int,
        Meta(ge=100_000_000, description="Memory that a worker may take for its work, in bytes."),
    ] = 1_000_000_000


class Shapes(Group, frozen=True):
    """Originals to refuse for their size or shape, whatever they would cost."""

    min_image_size: Annotated[
        Count | None, Meta(description="Least short side of an original, in pixels.")
    ] = None
    max_aspect_ratio: Annotated[
        Annotated[float, Meta(ge=1)] | None,
        Meta(description="Largest ratio of the long side of an original to the short one."),
    ] = None


ANY_SHAPE = Shapes()


class Whole(Struct, frozen=True, tag_field="kind", tag="whole"):
    """The region of an output that shows the whole picture."""


class HeadBox(Struct, frozen=True, tag_field="kind", tag="head_box"):
    """The region of an output that shows the head box, and `margin` more on each side, as a share
    of the width and height of the box. Such an output needs a box.
    """

    margin: float = 0.0


class ShortSide(Struct, frozen=True):
    """The short side of an output, in pixels; the long side follows. None: as in the original.

    `at_most`: a smaller region keeps its size; otherwise it is enlarged.
    """

    pixels: int | None = None
    at_most: bool = False


class Output(Struct, frozen=True):
    """One kind of picture that is made of every original, and all that decides its bytes.

    A further output is one such record, handed in as `Recipe(others=(record,))`.
    Raises ValueError for a name or tree that cannot be used.
    """

    name: str
    """Small letters and digits. It names columns in tables and members in shards."""
    tree: str
    """The folder of its files in a dataset."""
    region: Whole | HeadBox = Whole()
    size: ShortSide = ShortSide()
    encoding: Encoding = Encoding()
    exact: bool = False
    """No shortcut when a whole picture is shrunk, but decoding JPEGs at twice the size or more."""
    resize_mode: ResizeMode = "keep_ratio"
    """How a whole picture is brought to its size, which is that of the long side for some modes."""

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9]*", self.name) or self.name in _TAKEN:
            raise ValueError(f"an output cannot be named {self.name!r}: give it another name")
        if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", self.tree):
            raise ValueError(f"output {self.name}: {self.tree!r} is not the name of a folder")

    @property
    def extension(self) -> str:
        """The extension of its files, without the dot."""
        return self.encoding.encode_format

    @property
    def needs_box(self) -> bool:
        """True if the output shows a head, so that it cannot be made without a head box."""
        return isinstance(self.region, HeadBox)


_TAKEN = frozenset(
    (
        *("id", "key", "path", "split", "status", "format", "notes", "url", "proof", "etag"),
        *("left", "top", "right", "bottom", "confidence", "original", "spool"),
        *("image", "label", "tags", "cls", "json", "jpg"),
    )
)
"""Other columns of the tables in which outputs are columns, and other members of shards."""


def full_image(settings: FullImage, encoding: Encoding) -> Output:
    """Return the output `full`: the whole picture with a short side of exactly `size` pixels, or as
    another `resize_mode` says.
    """
    mode = settings.resize_mode
    size = ShortSide(None if mode == "no" else settings.size)
    return Output("full", FULL, Whole(), size, encoding, settings.exact, mode)


def head_crop(settings: FaceImage, encoding: Encoding) -> Output:
    """Return the output `face`: the head box, no larger than `face_size` pixels."""
    size = ShortSide(settings.face_size, at_most=True)
    return Output("face", FACES, HeadBox(settings.face_margin), size, encoding)


FULL_IMAGE = full_image(FullImage(), Encoding())
HEAD_CROP = head_crop(FaceImage(), Encoding())
"""The two outputs that every recipe has, with default settings."""


class Recipe(Struct, frozen=True, kw_only=True):
    """All settings that decide an outcome: the outputs, and what is refused instead of made.

    `full`, `face` and `encoding` are the flags of the two outputs that every recipe has; `others`
    are further outputs. Raises ValueError where two outputs share a name or a tree.
    """

    revision: int = 5
    """Raise this with every change of the code that changes the bytes of outputs. Images of earlier
    revisions stay, and a run says how many there are (`engine.remaking`).
    """
    full: FullImage = FullImage()
    face: FaceImage = FaceImage()
    encoding: Encoding = Encoding()
    bounds: Bounds = Bounds()
    others: tuple[Output, ...] = ()
    shapes: Shapes = ANY_SHAPE

    def __post_init__(self) -> None:
        for kind in ("name", "tree"):
            if len({getattr(output, kind) for output in self.outputs}) < len(self.outputs):
                raise ValueError(f"two outputs of a recipe have the same {kind}")

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Every output, the full image first. A run makes those that it is asked for."""
        full = full_image(self.full, self.encoding)
        return (full, head_crop(self.face, self.encoding), *self.others)

    def hashes(self) -> "Hashes":
        """Return the first 16 hexadecimal digits of the SHA-256 of these settings as JSON.

        Settings are hashed as flags, and further outputs and shapes to refuse behind them; settings
        that came later count where they are not the default. So a recipe without these has the
        hashes that it always had, and nothing is made again.
        """
        deciding = (self.revision, self.full, self.face, self.encoding, *self.others)
        shapes = () if self.shapes == ANY_SHAPE else (self.shapes,)
        return Hashes(_hash(deciding), _hash((*deciding, self.bounds, *shapes)))


class Hashes(NamedTuple):
    """Two hashes of a recipe: `pixels` without its bounds, `bounded` with them. The ledger records
    one of them with each outcome, so that a run with other bounds repeats only the outcomes that
    depended on them.
    """

    pixels: str
    bounded: str

    def of(self, reason: Reason | None, notes: Collection[Note] = ()) -> str:
        """Return the hash to record with an outcome."""
        depends = reason is not None and reason.bounded
        return self.bounded if depends or Note.TRUNCATED in notes else self.pixels


_LATER = (("resize_mode", "keep_ratio"), ("encode_format", "jpg"))
"""Settings that recipes once did not have, with their defaults."""


def _hash(settings: object) -> str:
    hashed = _without_later(msgspec.to_builtins(settings))
    return hashlib.sha256(msgspec.json.encode(hashed)).hexdigest()[:16]


def _without_later(value: object) -> object:
    match value:
        case dict():
            items = value.items()
            return {name: _without_later(one) for name, one in items if (name, one) not in _LATER}
        case list() | tuple():
            return [_without_later(one) for one in value]
    return value
