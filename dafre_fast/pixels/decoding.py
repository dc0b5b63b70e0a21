"""Which decoder reads what: a fast lane for plain JPEGs and PNGs, libvips for everything else."""

from collections.abc import Callable

from dafre_fast.model.errors import Refusal
from dafre_fast.pixels import jpeg, png, vips
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.pictures import Decoded, Pictures, Pixels, Raster
from dafre_fast.pixels.planning import LARGEST_WHOLE, WHOLE, FacePlan, FullPlan, ImagePlan
from dafre_fast.pixels.resample import resize
from dafre_fast.pixels.sniff import SNIFF_BYTES, Format, sniff


def read_header(data: bytes) -> Header:
    """Raises Refusal where the bytes are no picture that is read here."""
    match sniff(data[:SNIFF_BYTES]):
        case Format.JPEG:
            return jpeg.read_header(data)
        case Format.PNG:
            return png.read_header(data)
        case format:
            return vips.read_header(data, format)


def pictures(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Both outputs at their final size. What a fast lane has a doubt about, libvips judges.

    Raises Refusal where libvips finds the file damaged.
    """
    decode = fast_lane(header, plan)
    if decode is None:
        return vips.pictures(data, header, plan)
    try:
        full, face = decode(data, header, plan)
    except Refusal:
        return vips.pictures(data, header, plan)
    return Pictures(
        _finish(full, plan.full, header.profile), _finish(face, plan.face, header.profile)
    )


def fast_lane(
    header: Header, plan: ImagePlan
) -> Callable[[bytes, Header, ImagePlan], Decoded] | None:
    """The decoder of plain JPEGs or PNGs, where the picture fits memory."""
    if not header.plain:
        return None
    width, height = header.stored
    if header.format is Format.PNG:
        return png.decode if width * height <= LARGEST_WHOLE else None
    share = 1.0 if plan.face or not plan.full else plan.full.eighths / WHOLE
    fits = width * height * share**2 <= LARGEST_WHOLE
    return jpeg.decode if fits else None


def _finish(
    source: Raster | None, plan: FullPlan | FacePlan | None, profile: bytes | None
) -> Pixels | None:
    if source is None or plan is None:
        return None
    return vips.to_srgb(resize(source, plan.size), profile)
