"""libvips: decode a format by its own loader, resize, convert to sRGB, and encode JPEG."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.colour import by_profile, space_of, to_srgb
from dafre_fast.pixels.decoders import apng, boxes, gif, markers, webp
from dafre_fast.pixels.decoders.libvips import pyvips
from dafre_fast.pixels.decoders.scans import are_complete
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.header import Header, Space
from dafre_fast.pixels.kernels.lzw import pixels_in
from dafre_fast.pixels.kernels.resample import resize
from dafre_fast.pixels.plan import LARGEST_WHOLE, WHOLE, ImagePlan
from dafre_fast.pixels.rasters import Pictures, Pixels, raster

_LOADED_AS = {Format.AVIF: "heif"}
"""Names in libvips's loaders where they differ from the format's."""
_SHORT_OF_MEMORY = ("out of memory", "insufficient memory", "memory allocation")
"""Words of libvips, libjpeg and libheif."""
_LIMIT = "security limit"
"""Words of libheif, which calls any number that is too large a lack of memory."""
_PROFILE = "icc-profile-data"
_STRIP = 8
"""Number of rows to read at once from a file that breaks off."""
_HELD_PER_PIXEL = 12
"""Bytes: the frame as the codec's library holds it, and the copy that libvips gets."""

_MORE = b"\xb5\x6a" * 64
"""Coded data unlike the zeros with which libjpeg goes on where data is missing."""

Load = Callable[[int], pyvips.Image]
"""Load the first frame, reduced by 1 or, for JPEG only, by 2, 4 or 8."""


def read_header(data: bytes, format: Format) -> Header:
    """Read size, orientation and profile with the format's loader.

    Raises Refusal (CORRUPT_HEADER) if the loader finds no header, MemoryError if memory is short.
    """
    image = _open(gif.alone(data) if format is Format.GIF and gif.flaw(data) else data, format)
    orientation = _field(image, "orientation", 1)
    size = Size(image.width, image.height)
    if format is Format.GIF:  # libvips ignores some sizes of screens
        size = gif.screen(data)
    profile = bytes(image.get(_PROFILE)) if image.get_typeof(_PROFILE) else None
    space = space_of(image)
    if format is Format.AVIF and profile is None:
        profile, space = boxes.profile(data), Space.RGB
    return Header(
        format=format,
        stored=size,
        orientation=orientation if 1 <= orientation <= 8 else 1,
        space=space,
        profile=profile,
        alpha=bool(image.hasalpha()),
        frames=_field(image, "n-pages", 1),
        held=0 if format is Format.TIFF else size.width * size.height * _HELD_PER_PIXEL,
    )


def _field(image: pyvips.Image, name: str, default: int) -> int:
    return int(image.get(name)) if image.get_typeof(name) else default


def decode(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Decode, resize and convert to sRGB uint8 (height, width, 3).

    Raises Refusal (CORRUPT or CORRUPT_HEADER) if the file is damaged, MemoryError.
    """
    if header.format is Format.JPEG:
        data = _with_its_end(markers.repaired(data))
    if header.format is Format.GIF:
        data = _whole_frame(data)

    def load(shrink: int) -> pyvips.Image:
        if shrink > 1:
            return _open(data, header.format, shrink=shrink)
        return _first_frame(data, header.format)

    frame = gif.first_frame(data) if header.format is Format.GIF else None
    return render(load, header, plan, frame)


def _with_its_end(data: bytes) -> bytes:
    """Return a JPEG that ends with an EOI. Raises Refusal if it has none and coded data is missing:
    libvips does not notice that in the last rows.
    """
    wrong = markers.flaw(data)
    if wrong is None:
        return data
    picture = markers.ended(data)
    if not are_complete(picture) or depends_on_more(picture):
        raise Refusal(wrong.reason, "coded data is missing")
    return picture


def depends_on_more(picture: bytes) -> bool:
    """Return True if a JPEG has other pixels with other coded data before its EOI: then it has less
    coded data than pixels.
    """
    coded = picture.removesuffix(markers.END)
    one, other = (
        _open(coded + more + markers.END, Format.JPEG, fail_on="none") for more in (b"", _MORE)
    )
    try:
        return bool((one != other).max())
    except pyvips.Error as error:
        raise _refusal(Reason.CORRUPT, error) from error


def _whole_frame(data: bytes) -> bytes:
    """Return a GIF of the first frame alone if anything is wrong with its blocks, else the file.

    Raises Refusal (CORRUPT) if the frame has too few pixels.
    """
    there, wanted = gif_pixels(data)
    if there < wanted:
        raise Refusal(Reason.CORRUPT, f"{there:,} of {wanted:,} pixels of the first frame")
    return gif.alone(data) if gif.flaw(data) else data


def gif_pixels(data: bytes) -> tuple[int, int]:
    """Return how many pixels of the first frame of a GIF are there, and how many it has."""
    size = gif.first_frame(data).size
    wanted, at = size.width * size.height, gif.first_codes(data)
    codes = np.frombuffer(data, np.uint8).copy()  # the kernel takes no array that is read-only
    return (pixels_in(codes, at, wanted) if at < len(data) else 0), wanted


def render(load: Load, header: Header, plan: ImagePlan, frame: Rect | None = None) -> Pictures:
    """Make the outputs of the picture that `load` gives; it is white outside `frame`.

    Raises Refusal if the file turns out to be damaged.
    """
    original = _Original(load, header, frame, whole=plan.has_crops)
    profile = None if header.alpha else header.profile  # or else it was applied before
    made = Pictures()
    for one in plan.outputs:
        image = original.at(one.eighths)
        if one.rect:
            image = image.crop(one.rect.left, one.rect.top, *one.rect.size)
        made[one.name] = _resized(image, one.size, profile)
    return made


def lenient(data: bytes, header: Header) -> pyvips.Image:
    """Decode a damaged file as far as its library can, in memory, filled up with anything.

    Raises Refusal (CORRUPT_HEADER or CORRUPT) if that is nothing.
    """
    image = _first_frame(data, header.format, fail_on="none")
    frame = gif.first_frame(data) if header.format is Format.GIF else None
    return _in_memory(_within(image, frame, header.stored))


def strict_rows(data: bytes, format: Format) -> int:
    """Return how many rows of a file that breaks off come before its decoder fails, in steps of
    eight. Raises Refusal (CORRUPT_HEADER) if the file cannot be opened.
    """
    image = _first_frame(data, format)
    region, rows = pyvips.Region.new(image), 0
    with suppress(pyvips.Error):
        for top in range(0, image.height, _STRIP):
            region.fetch(0, top, image.width, min(_STRIP, image.height - top))
            rows = min(top + _STRIP, image.height)
    return rows


def upper(image: pyvips.Image, rows: int) -> pyvips.Image:
    """Return the picture with its first rows alone, and white below them."""
    no_ink = "black" if image.interpretation == "cmyk" else "white"
    part = image.crop(0, 0, image.width, rows)
    return part.embed(0, 0, image.width, image.height, extend=no_ink).copy_memory()


def decode_stored(data: bytes, format: Format, shrink: int) -> Pixels:
    """Decode an 8-bit original to RGB uint8 (height, width, 3), colours as they are stored,
    reduced by `shrink` (1, or for JPEG only 2, 4 or 8). Raises Refusal if the file is damaged.
    """
    image = _in_memory(_open(data, format, shrink=shrink)).copy(interpretation="srgb")
    return _pixels(image if image.bands == 3 else image.bandjoin([image, image]))


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Encode as `jpeg.encode` does, with libvips."""
    chroma = "on" if subsampling == "4:2:0" else "off"
    # The image shares the memory of the array, which outlives it here.
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels[..., :3]))
    image = image.copy(interpretation="srgb")
    return bytes(image.jpegsave_buffer(Q=quality, subsample_mode=chroma, keep="none"))


class _Original:
    """The picture of one file, for all its outputs.

    Up to LARGEST_WHOLE pixels it is decoded once and kept if a head crop is wanted, since a crop
    alone would not show that the file breaks off below it. A larger picture is streamed once per
    output, so that memory stays bounded.
    """

    def __init__(self, load: Load, header: Header, frame: Rect | None, *, whole: bool) -> None:
        self._load, self._stored, self._frame = load, header.stored, frame
        self._profile = header.profile if header.alpha else None
        self._keep = whole and header.stored.width * header.stored.height <= LARGEST_WHOLE
        self._decoded: dict[int, pyvips.Image] = {}

    def at(self, eighths: int) -> pyvips.Image:
        """Return the first frame at `eighths` / 8 of its stored size (below 8 for JPEG only), on
        white.

        Unless it is kept, it can be read once, from top to bottom, and damage shows only then.
        """
        if eighths not in self._decoded:
            image = by_profile(self._load(WHOLE // eighths), self._profile)
            image = _within(_on_white(image), self._frame, self._stored)
            if not self._keep:
                return image
            self._decoded[eighths] = _in_memory(image)
        return self._decoded[eighths]


def _within(image: pyvips.Image, frame: Rect | None, stored: Size) -> pyvips.Image:
    """Lay the frame on white: libvips does not show what an opaque frame leaves free."""
    if frame is None:
        return image
    left, top, right, bottom = frame
    width, height = min(right, image.width) - left, min(bottom, image.height) - top
    if width < 1 or height < 1:
        raise Refusal(Reason.CORRUPT, "no frame where the first one should be")
    if (width, height) == stored:
        return image
    part = image.crop(left, top, width, height)
    return part.embed(left, top, *stored, extend="white")


def _on_white(image: pyvips.Image) -> pyvips.Image:
    if not image.hasalpha():
        return image
    return image.flatten(background=65_535 if image.format == "ushort" else 255)


def _open(data: bytes, format: Format, **options: object) -> pyvips.Image:
    if format is Format.WEBP:
        data = webp.repaired(data)
    loader = getattr(pyvips.Image, f"{_LOADED_AS.get(format, format)}load_buffer")
    try:
        settings = {"access": "sequential", "fail_on": _fail_on(format)} | options
        return loader(data, **settings)
    except pyvips.Error as error:
        raise _refusal(Reason.CORRUPT_HEADER, error) from error


def _fail_on(format: Format) -> str:
    """Return the level at which libvips fails: a warning for JPEG, where it may be a bad Huffman
    code or a scan that ends early; an error for others, since a PNG's profile may cause a warning.
    """
    return "warning" if format is Format.JPEG else "error"


def _first_frame(data: bytes, format: Format, **options: object) -> pyvips.Image:
    """Open a file; a PNG at the first frame of its animation where the default image is none.

    Raises Refusal (CORRUPT_HEADER, CORRUPT or TRUNCATED).
    """
    frame = apng.hidden_frame(data) if format is Format.PNG else None
    if frame is None:
        return _open(data, format, **options)
    image = _open(frame.png, format, **options)
    if not image.hasalpha():
        image = image.addalpha()
    return image.embed(frame.rect.left, frame.rect.top, *frame.canvas, extend="black")


def _resized(image: pyvips.Image, size: Size, profile: bytes | None) -> Pixels:
    """Decode now, resize by Lanczos-3 to exactly `size`, each side by its own factor, and convert
    to sRGB uint8 (height, width, 3 or 4). Raises Refusal if the file is damaged.

    libvips enlarges by another filter, a quarter of a pixel aside.
    """
    across, down = size.width / image.width, size.height / image.height
    if across > 1 or down > 1:
        return resize(raster(_pixels(to_srgb(_in_memory(image), profile))), size)
    if across < 1 or down < 1:
        image = image.resize(across, vscale=down, kernel="lanczos3")
    return _pixels(to_srgb(_in_memory(image), profile))


def _in_memory(image: pyvips.Image) -> pyvips.Image:
    """Decode all pixels now. Raises Refusal (CORRUPT) for a damaged file, MemoryError."""
    try:
        return image.copy_memory()
    except pyvips.Error as error:
        raise _refusal(Reason.CORRUPT, error) from error


def _pixels(image: pyvips.Image) -> Pixels:
    memory = np.frombuffer(image.write_to_memory(), np.uint8)
    return memory.reshape(image.height, image.width, image.bands)


def _refusal(reason: Reason, error: pyvips.Error) -> Exception:
    line = _first_line(error)
    said = line.lower()
    short = any(words in said for words in _SHORT_OF_MEMORY) and _LIMIT not in said
    return MemoryError(line) if short else Refusal(reason, line)


def _first_line(error: pyvips.Error) -> str:
    lines = [line.strip() for line in f"{error.detail}\n{error.message}".splitlines()]
    telling = [line for line in lines if line and not line.startswith("unable to")]
    return telling[0] if telling else "libvips gives no reason"
