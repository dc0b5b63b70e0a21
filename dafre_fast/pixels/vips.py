"""libvips: decode every format by its own named loader, resize, convert and encode.

Called with one thread and no cache: there is a process per core, and no picture comes twice.
"""

import os
from contextlib import suppress

# Read once, when libvips loads.
os.environ.setdefault("VIPS_CONCURRENCY", "1")

import numpy as np
import pyvips

from dafre_fast.model.errors import Refusal
from dafre_fast.model.reason import Reason
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header, is_srgb, profile_space
from dafre_fast.pixels.pictures import Pictures, Pixels
from dafre_fast.pixels.planning import LARGEST_WHOLE, WHOLE, ImagePlan
from dafre_fast.pixels.sniff import Format

pyvips.cache_set_max(0)

_LOADERS = {
    Format.JPEG: "jpegload_buffer",
    Format.PNG: "pngload_buffer",
    Format.GIF: "gifload_buffer",
    Format.WEBP: "webpload_buffer",
    Format.TIFF: "tiffload_buffer",
    Format.AVIF: "heifload_buffer",
    Format.HEIC: "heifload_buffer",
}
_PROFILE = "icc-profile-data"
_SPACES = {
    "srgb": b"RGB ",
    "rgb": b"RGB ",
    "rgb16": b"RGB ",
    "b-w": b"GRAY",
    "grey16": b"GRAY",
    "cmyk": b"CMYK",
}


def read_header(data: bytes, format: Format) -> Header:
    """Size, orientation and profile as the loader finds them.

    Raises Refusal (CORRUPT_HEADER) where it finds none.
    """
    image = _open(data, format)
    fields = set(image.get_fields())
    orientation = image.get("orientation") if "orientation" in fields else 1
    return Header(
        format=format,
        stored=Size(image.width, image.height),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        profile=bytes(image.get(_PROFILE)) if _PROFILE in fields else None,
    )


def pictures(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Decode, resize and convert; what no other lane reads, or where one has a doubt.

    Raises Refusal, TRUNCATED or CORRUPT, where the file is damaged.
    """
    original = _Original(data, header, whole=plan.face is not None)
    full, face = None, None
    if plan.full:
        image = original.at(plan.full.eighths)
        full = _render(_resize(image, plan.full.size))
    if plan.face:
        region = plan.face.rect
        image = original.at(WHOLE).crop(region.left, region.top, *region.size)
        face = _render(_resize(image, plan.face.size))
    return Pictures(full, face)


def decode(data: bytes, format: Format, shrink: int) -> Pixels:
    """RGB pixels of an 8-bit original, colours as they are stored, `shrink` (1, 2, 4 or 8, JPEG
    alone) times smaller. Raises Refusal where the file is damaged.
    """
    image = _in_memory(_open(data, format, shrink=shrink)).copy(interpretation="srgb")
    return _pixels(image if image.bands == 3 else image.bandjoin([image, image]))


def to_srgb(pixels: Pixels, profile: bytes | None) -> Pixels:
    """RGB or RGBX pixels of an embedded ICC profile as sRGB; as they are where there is nothing
    to convert.
    """
    if profile is None or is_srgb(profile) or profile_space(profile) != _SPACES["srgb"]:
        return pixels
    image = _from_pixels(pixels)
    image.set_type(pyvips.GValue.blob_type, _PROFILE, profile)
    return _render(image)


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Baseline JPEG without metadata."""
    chroma = "on" if subsampling == "4:2:0" else "off"
    image = _from_pixels(pixels)
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode=chroma, keep="none"))


class _Original:
    """One file. Up to LARGEST_WHOLE a picture whose face is wanted is decoded once, as a whole,
    and kept: a crop alone would not show that the file breaks off below it. A larger one streams
    through for each output, so that memory stays bounded.
    """

    def __init__(self, data: bytes, header: Header, *, whole: bool) -> None:
        self._data, self._format = data, header.format
        self._keep = whole and header.stored.width * header.stored.height <= LARGEST_WHOLE
        self._decoded: dict[int, pyvips.Image] = {}

    def at(self, eighths: int) -> pyvips.Image:
        """The first frame at `eighths` / 8 of its stored size (below 8 for JPEG alone), on white.

        Unless it is kept, it is to be read once from top to bottom, and only then does a damaged
        file show.
        """
        if eighths not in self._decoded:
            image = self._load(WHOLE // eighths)
            if not self._keep:
                return image
            self._decoded[eighths] = _in_memory(image)
        return self._decoded[eighths]

    def _load(self, shrink: int) -> pyvips.Image:
        image = _open(self._data, self._format, **({"shrink": shrink} if shrink > 1 else {}))
        if image.hasalpha():
            white = 65_535 if image.format == "ushort" else 255
            image = image.flatten(background=white)
        return image


def _open(data: bytes, format: Format, **options: object) -> pyvips.Image:
    loader = getattr(pyvips.Image, _LOADERS[format])
    try:
        return loader(data, access="sequential", fail_on="error", **options)
    except pyvips.Error as error:
        raise Refusal(Reason.CORRUPT_HEADER, _first_line(error)) from error


def _resize(image: pyvips.Image, size: Size) -> pyvips.Image:
    """Lanczos-3 to exactly `size`, both sides on their own."""
    if (image.width, image.height) == size:
        return image
    return image.resize(
        size.width / image.width, vscale=size.height / image.height, kernel="lanczos3"
    )


def _in_memory(image: pyvips.Image) -> pyvips.Image:
    """The same pixels, decoded now. Raises Refusal, TRUNCATED or CORRUPT, for a damaged file."""
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        line = _first_line(error)
        short = any(word in line.lower() for word in ("premature", "truncated", "end of"))
        raise Refusal(Reason.TRUNCATED if short else Reason.CORRUPT, line) from error


def _render(image: pyvips.Image) -> Pixels:
    """Decode now, as 8-bit sRGB. Raises Refusal where the file is damaged."""
    return _pixels(_to_srgb(_in_memory(image)))


def _pixels(image: pyvips.Image) -> Pixels:
    memory = np.frombuffer(image.write_to_memory(), np.uint8)
    return memory.reshape(image.height, image.width, image.bands)


def _from_pixels(pixels: Pixels) -> pyvips.Image:
    """The image shares the memory of what it was made from, which must outlive it."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels[..., :3]))
    return image.copy(interpretation="srgb")


def _to_srgb(image: pyvips.Image) -> pyvips.Image:
    if image.bands > 3 and image.interpretation != "cmyk":
        image = image[0:3].copy()  # a TIFF may have channels beside its colours
    profile = bytes(image.get(_PROFILE)) if image.get_typeof(_PROFILE) else b""
    # libvips would put a profile of its own in the place of one that does not fit.
    if profile_space(profile) == _SPACES.get(image.interpretation) and not is_srgb(profile):
        with suppress(pyvips.Error):  # a broken profile says nothing about the pixels
            return image.icc_transform("srgb", embedded=True, depth=8).copy_memory()
    if image.interpretation == "cmyk":
        if image.format == "ushort":
            image = (image / 257).rint()
        ink_and_key = 255 - image  # what the paper still reflects, of each ink and of black
        image = (ink_and_key[0:3] * ink_and_key[3] / 255).rint().cast("uchar")
        return image.copy(interpretation="srgb")
    return image.colourspace("srgb").cast("uchar")


def _first_line(error: pyvips.Error) -> str:
    lines = [line.strip() for line in f"{error.detail}\n{error.message}".splitlines()]
    telling = [line for line in lines if line and not line.startswith("unable to")]
    return telling[0] if telling else "libvips gives no reason"
