"""JPEG: the header, a fast lane by libjpeg-turbo, and the encoder. libvips serves if libjpeg-turbo
is missing.

Frame and scan headers: ITU-T T.81, B.2; Adobe's APP14 and the ICC's APP2: T.872, 6.5.
"""

import warnings

import numpy as np

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import markers, vips
from dafre_fast.pixels.decoders.markers import SOF0, SOF1, SOF2
from dafre_fast.pixels.decoders.scans import without_refinements
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.geometry import Size
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
    exif, profile, transform, first_scan = b"", dict[int, bytes](), -1, 0
    frame: tuple[int, bytes] | None = None
    for marker, body, _, _ in markers.segments(data, until=markers.SOS):
        if marker in markers.FRAMES and len(body) >= 6:
            frame = frame or (marker, body)
        elif marker == markers.APP1 and body.startswith(b"Exif\0"):
            exif = exif or body[6:]  # the first one counts, as in libvips
        elif marker == markers.APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        elif marker == markers.APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            transform = body[11]
        elif marker == markers.SOS and body:
            first_scan = body[0]
    if frame is None:
        raise Refusal(Reason.CORRUPT_HEADER, "no JPEG frame header")
    marker, body = frame
    if body[0] != 8 or marker in _HIERARCHICAL:
        kind = "hierarchical" if marker in _HIERARCHICAL else f"of {body[0]} bits"
        raise Refusal(Reason.UNSUPPORTED_FORMAT, f"JPEG {kind}")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    components = body[5]
    streams = marker not in _PROGRESSIVE and first_scan == components
    grey_with_profile = components == 1 and bool(profile)  # the profile is for grey, not RGB
    coded_as_rgb = components == 3 and (transform == 0 or body[6::3][:3] == b"RGB")
    return Header(
        format=Format.JPEG,
        stored=Size(width, height),
        orientation=exif_orientation(exif),
        progressive=marker == SOF2,
        # Coded data never has 0xDA after 0xFF: this counts scans, those of thumbnails included.
        scans=1 if streams else data.count(markers.SCAN),
        held=0 if streams else _coefficient_bytes(width * height, body),
        space=_SPACES.get(components, Space.RGB),
        profile=b"".join(part for _, part in sorted(profile.items())) or None,
        plain=(
            marker in _FAST and components in (1, 3) and not coded_as_rgb and not grey_with_profile
        ),
    )


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
    """What the outputs are resized from, from one pass where one size serves all.

    Every warning of the decoder is a Refusal, TRUNCATED or CORRUPT: behind some warnings stands a
    good picture and behind others none, and libvips is asked then.
    """
    whole = _scan(data, header.stored, WHOLE) if plan.has_crops else None
    return {one.name: _source(data, header, one, whole) for one in plan.outputs}


def _source(data: bytes, header: Header, plan: OutputPlan, whole: Pixels | None) -> Raster:
    pixels, stored = whole, header.stored
    if pixels is None or plan.eighths != WHOLE:
        if header.progressive and not plan.exact:
            data = without_refinements(data, min(stored) / min(plan.size))
        pixels = _scan(data, stored, plan.eighths)
    if plan.rect:
        return raster(cut(pixels, plan.rect))
    if plan.eighths == WHOLE:
        return shrink(pixels, 1 if plan.exact else block_for(stored, plan.size))
    share = plan.eighths / WHOLE
    return Raster(pixels, (stored.width * share, stored.height * share))


def _scan(data: bytes, stored: Size, eighths: int) -> Pixels:
    """Decode to RGB uint8 (height, width, 3) at `eighths` / 8 of the stored size, rounded up;
    `eighths`: 1, 2, 4 or 8.

    Raises Refusal for any warning: TRUNCATED, CORRUPT, or CORRUPT_HEADER for an unexpected size.
    """
    decoder = turbo()
    if decoder is None:
        return vips.decode_stored(data, Format.JPEG, WHOLE // eighths)
    from turbojpeg import TJFLAG_ACCURATEDCT, TJPF_RGB

    width, height = (-(-side * eighths // WHOLE) for side in stored)
    # Zeroed, so that a damaged file does not show memory of another picture.
    pixels: Pixels = np.zeros((height, width, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            decoded: Pixels = decoder.decode(
                data,
                TJPF_RGB,
                scaling_factor=(1, WHOLE // eighths) if eighths < WHOLE else None,
                flags=TJFLAG_ACCURATEDCT,
                dst=pixels,
            )
        except (OSError, ValueError, UserWarning) as error:
            reason = Reason.TRUNCATED if "remature end" in str(error) else Reason.CORRUPT
            raise Refusal(reason, str(error)) from error
    if decoded is not pixels:  # the decoder found another size than `read_header` did
        raise Refusal(Reason.CORRUPT_HEADER, "two sizes")
    return pixels


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Encode RGB or RGBX uint8 (height, width, 3 or 4) as a baseline JPEG without metadata.

    `quality`: 1 to 100; `subsampling`: 4:2:0 or 4:4:4.
    """
    encoder = turbo()
    if encoder is None:
        return vips.encode(pixels, quality, subsampling)
    from turbojpeg import TJFLAG_ACCURATEDCT, TJPF_RGB, TJPF_RGBX, TJSAMP_420, TJSAMP_444

    layout = TJPF_RGB if pixels.shape[2] == 3 else TJPF_RGBX
    chroma = TJSAMP_420 if subsampling == "4:2:0" else TJSAMP_444
    # numpy takes a single row for contiguous whatever its stride, the encoder does not.
    pixels = np.ascontiguousarray(pixels).ravel().reshape(pixels.shape)
    return bytes(encoder.encode(pixels, quality, layout, chroma, flags=TJFLAG_ACCURATEDCT))
