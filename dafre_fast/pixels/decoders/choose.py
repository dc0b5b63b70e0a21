"""Which decoder reads what: a fast lane for plain JPEGs and PNGs, Pillow for what libvips does not
read as it is meant, libvips for everything else.
"""

from collections.abc import Callable, Sequence
from functools import partial

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.colour import pixels_to_srgb
from dafre_fast.pixels.decoders import jpeg, png, vips
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.kernels.resample import resize
from dafre_fast.pixels.plan import LARGEST_WHOLE, WHOLE, ImagePlan
from dafre_fast.pixels.rasters import Decoded, Pictures
from dafre_fast.pixels.sniff import SNIFF_BYTES, Format, sniff

Reader = Callable[[bytes], Header]

ANOTHER_MAY_READ = {Reason.UNSUPPORTED_FORMAT, Reason.CORRUPT_HEADER, Reason.CORRUPT}
"""Reasons of one reader that are not the last word."""


def readers(data: bytes) -> Sequence[Reader]:
    """What may read the header of such a file, the best first. A `Header` remembers whose it is.

    Raises Refusal where the bytes are no picture that is read here.
    """
    match sniff(data[:SNIFF_BYTES]):
        case Format.JPEG:
            return [jpeg.read_header]
        case Format.PNG:
            return [png.read_header]
        case Format.BMP:
            return [partial(_read_carefully, format=Format.BMP)]
        case Format.TIFF | Format.AVIF as format:
            careful = partial(_read_carefully, format=format)
            return [careful, partial(vips.read_header, format=format), partial(careful, deep=True)]
        case format:
            return [partial(vips.read_header, format=format)]


def _read_carefully(data: bytes, format: Format, *, deep: bool = False) -> Header:
    from dafre_fast.pixels.decoders import pillow  # few files need it

    return pillow.read_header(data, format, deep=deep)


def read_header(data: bytes) -> Header:
    """By the first reader that finds one. Raises Refusal."""
    *others, last = readers(data)
    for read in others:
        try:
            return read(data)
        except Refusal as refusal:
            if refusal.reason not in ANOTHER_MAY_READ:
                raise
    return last(data)


def pictures(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """The outputs at their final size. What a fast lane has a doubt about, libvips judges.

    Raises Refusal where the file is damaged.
    """
    if header.careful:
        from dafre_fast.pixels.decoders import pillow

        return pillow.pictures(data, header, plan)
    decode = fast_lane(header, plan)
    if decode is None:
        return _judged(data, header, plan)
    try:
        sources = decode(data, header, plan)
    except Refusal:
        return _judged(data, header, plan)
    return {
        one.name: pixels_to_srgb(resize(sources[one.name], one.size), header.profile)
        for one in plan.outputs
    }


def _judged(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    return vips.pictures(jpeg.mended(data) if header.format is Format.JPEG else data, header, plan)


def fast_lane(
    header: Header, plan: ImagePlan
) -> Callable[[bytes, Header, ImagePlan], Decoded] | None:
    """The decoder of plain JPEGs or PNGs, where the picture fits memory."""
    if not header.plain:
        return None
    width, height = header.stored
    if header.format is Format.PNG:
        return png.decode if width * height <= LARGEST_WHOLE else None
    share = max((one.eighths / WHOLE for one in plan.outputs), default=1.0)
    fits = width * height * share**2 <= LARGEST_WHOLE
    return jpeg.decode if fits else None
