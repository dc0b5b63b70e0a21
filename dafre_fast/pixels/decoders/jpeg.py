"""JPEG: the header, a fast lane, and the encoder.

The fast lane decodes nearly all baseline files by itself (`baseline`). All others are left to
libjpeg-turbo, or to libvips if that is missing.

Frame and scan headers: ITU-T T.81, B.2; Adobe's APP14 and the ICC's APP2: T.872, 6.5.
"""

from collections.abc import Sequence

import numpy as np

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import baseline, markers, vips
from dafre_fast.pixels.decoders.markers import SOF0, SOF1, SOF2, Segment
from dafre_fast.pixels.decoders.scans import without_refinements
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.geometry import Rect, Size, enclosing
from dafre_fast.pixels.header import Header, Space, exif_orientation
from dafre_fast.pixels.kernels.resample import block_for, shrink
from dafre_fast.pixels.plan import LARGEST_WHOLE, WHOLE, ImagePlan, OutputPlan
from dafre_fast.pixels.rasters import Decoded, Pixels, Raster, cut, raster

_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {SOF2, 0xC6, 0xCA, 0xCE}
_FAST = {SOF0, SOF1, SOF2}
_SPACES = {1: Space.GREY, 4: Space.CMYK}


def read_header(data: bytes) -> Header:
    """Read size, orientation and profile from the segments before the first scan's data.

    Raises Refusal: CORRUPT_HEADER if there is no frame header, UNSUPPORTED_FORMAT for hierarchical
    files and other than 8 bits a sample.
    """
    parts = list(markers.segments(data, until=markers.SOS))
    kind, frame = _frame(parts)
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    components, profile = frame[5], _profile(parts)
    first_scan = next(
        (part.body[0] for part in parts if part.marker == markers.SOS and part.body), 0
    )
    streams = kind not in _PROGRESSIVE and first_scan == components
    coded_as_rgb = components == 3 and (_transform(parts) == 0 or frame[6::3][:3] == b"RGB")
    grey_with_profile = components == 1 and bool(profile)  # the profile is for grey, not RGB
    plain = kind in _FAST and components in (1, 3) and not coded_as_rgb and not grey_with_profile
    return Header(
        format=Format.JPEG,
        stored=Size(width, height),
        orientation=exif_orientation(_exif(parts)),
        progressive=kind == SOF2,
        scans=1 if streams else sum(_is_scan(part) for part in markers.of_picture(data)),
        held=0 if streams else _coefficient_bytes(width * height, frame),
        space=_SPACES.get(components, Space.RGB),
        profile=profile or None,
        plain=plain,
        both_at_once=plain and baseline.is_usual(kind, frame),
    )


def _is_scan(part: Segment) -> bool:
    return part.marker == markers.SOS


def _frame(parts: Sequence[Segment]) -> tuple[int, bytes]:
    """Return marker and parameters of the first frame header."""
    found = (part for part in parts if part.marker in markers.FRAMES and len(part.body) > 5)
    frame = next(found, None)
    if frame is None:
        raise Refusal(Reason.CORRUPT_HEADER, "no JPEG frame header")
    if frame.marker in _HIERARCHICAL:
        raise Refusal(Reason.UNSUPPORTED_FORMAT, "JPEG hierarchical")
    if frame.body[0] != 8:
        raise Refusal(Reason.UNSUPPORTED_FORMAT, f"JPEG of {frame.body[0]} bits")
    return frame.marker, frame.body


def _application(parts: Sequence[Segment], marker: int, name: bytes, least: int) -> list[bytes]:
    """Return the parameters of application segments that begin with `name`, `least` bytes long."""
    return [
        part.body
        for part in parts
        if part.marker == marker and part.body.startswith(name) and len(part.body) >= least
    ]


def _exif(parts: Sequence[Segment]) -> bytes:
    """Return the first Exif block, as libvips does; empty if there is none."""
    blocks = _application(parts, markers.APP1, b"Exif\0", 7)
    return blocks[0][6:] if blocks else b""


def _profile(parts: Sequence[Segment]) -> bytes:
    """Return the ICC profile, joined by the numbers of its parts; empty if there is none."""
    numbered = dict[int, bytes]()
    for body in _application(parts, markers.APP2, b"ICC_PROFILE\0", 15):
        numbered.setdefault(body[12], body[14:])
    return b"".join(part for _, part in sorted(numbered.items()))


def _transform(parts: Sequence[Segment]) -> int:
    """Return the colour transform of Adobe's last segment; -1 if there is none."""
    segments = _application(parts, markers.APP14, b"Adobe", 12)
    return segments[-1][11] if segments else -1


def _coefficient_bytes(pixels: int, frame: bytes) -> int:
    """Return the bytes of all coefficients, which a decoder holds for a file of several scans: 16
    bits each, as many per component as its sampling factors say (B.2.2).
    """
    sampling = [(factors >> 4, factors & 15) for factors in frame[7::3]]
    full = max((h for h, _ in sampling), default=1) * max((v for _, v in sampling), default=1)
    return 2 * pixels * sum(h * v for h, v in sampling) // max(full, 1)


def fits(header: Header, plan: ImagePlan) -> bool:
    """Return True for a plain file whose pixels fit memory at the size they are decoded to."""
    width, height = header.stored
    share = max((one.eighths / WHOLE for one in plan.outputs), default=1.0)
    return header.plain and width * height * share**2 <= LARGEST_WHOLE


def decode(data: bytes, header: Header, plan: ImagePlan) -> Decoded:
    """Decode what each output is resized from, in one pass over the coded data if it can be.

    Raises Refusal (TRUNCATED or CORRUPT) for any warning of libjpeg-turbo: it does not say whether
    the picture is good, and libvips judges then.
    """
    pictures = _at_once(data, header, plan) if header.both_at_once else None
    if pictures is None:
        pictures = _one_by_one(data, header, plan)
    return {one.name: _source(pictures[one.name], header.stored, one) for one in plan.outputs}


def _at_once(data: bytes, header: Header, plan: ImagePlan) -> dict[str, Pixels] | None:
    """Return the pixels of each output; None for a file that is left to libjpeg-turbo."""
    picture = Rect(0, 0, *header.stored)
    regions = {one.name: one.rect or picture for one in plan.outputs if one.eighths == WHOLE}
    region = enclosing([*regions.values()])
    scale, *others = sorted({one.eighths for one in plan.outputs} - {WHOLE}) or [0]
    found = baseline.decode(data, scale, region)
    if found is None:
        return None
    reduced = {scale: found.reduced}
    for other in others:  # outputs of other sizes, which no command asks for
        reduced[other] = read_pixels(data, header.stored, other)
    return {
        one.name: cut(found.region, regions[one.name].within(region))
        if one.name in regions
        else reduced[one.eighths]
        for one in plan.outputs
    }


def _one_by_one(data: bytes, header: Header, plan: ImagePlan) -> dict[str, Pixels]:
    """Return the pixels of each output by libjpeg-turbo, of all at full scale if one is a crop."""
    whole = read_pixels(data, header.stored, WHOLE) if plan.has_crops else None
    pictures = dict[str, Pixels]()
    for one in plan.outputs:
        pixels = whole
        if pixels is None or one.eighths != WHOLE:
            part = data
            if header.progressive and not one.exact:
                part = without_refinements(data, min(header.stored) / min(one.size))
            pixels = read_pixels(part, header.stored, one.eighths)
        pictures[one.name] = cut(pixels, one.rect) if one.rect else pixels
    return pictures


def _source(pixels: Pixels, stored: Size, plan: OutputPlan) -> Raster:
    if plan.rect:
        return raster(pixels)
    if plan.eighths == WHOLE:
        return shrink(pixels, 1 if plan.exact else block_for(stored, plan.size))
    if pixels.shape[1::-1] == plan.size:
        return raster(pixels)
    share = plan.eighths / WHOLE
    return Raster(pixels, (stored.width * share, stored.height * share))


def read_pixels(data: bytes, stored: Size, eighths: int) -> Pixels:
    """Decode to RGB uint8 (height, width, 3) at `eighths` / 8 of the stored size, rounded up;
    `eighths`: 1, 2, 4 or 8.

    Raises Refusal for any warning: TRUNCATED, CORRUPT, or CORRUPT_HEADER for an unexpected size.
    """
    decoder = turbo()
    if decoder is None:
        return vips.decode_stored(data, Format.JPEG, WHOLE // eighths)
    width, height = (-(-side * eighths // WHOLE) for side in stored)
    # Zeroed, so that a damaged file does not show memory of another picture.
    pixels: Pixels = np.zeros((height, width, 3), np.uint8)
    try:
        same_size = decoder.decode(data, WHOLE // eighths, pixels)
    except (OSError, ValueError) as error:
        reason = Reason.TRUNCATED if "remature end" in str(error) else Reason.CORRUPT
        raise Refusal(reason, str(error)) from error
    if not same_size:  # the decoder found another size than `read_header` did
        raise Refusal(Reason.CORRUPT_HEADER, "two sizes")
    return pixels


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Encode RGB or RGBX uint8 (height, width, 3 or 4) as a baseline JPEG without metadata.

    `quality`: 1 to 100; `subsampling`: 4:2:0 or 4:4:4.
    """
    encoder = turbo()
    if encoder is None:
        return vips.encode(pixels, quality, subsampling)
    # numpy takes a single row for contiguous whatever its stride, the encoder does not.
    pixels = np.ascontiguousarray(pixels).ravel().reshape(pixels.shape)
    return encoder.encode(pixels, quality, subsampling)
