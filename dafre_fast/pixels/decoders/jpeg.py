"""JPEG: the header, the pixels and the encoder; through libvips where libjpeg-turbo is missing.

Markers: ITU-T T.81, table B.1; Adobe's APP14 and the ICC's APP2: T.872, 6.5.
"""

import warnings
from collections.abc import Iterator
from mmap import mmap

import numpy as np

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import vips
from dafre_fast.pixels.decoders.scans import without_refinements
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header, Space, exif_orientation
from dafre_fast.pixels.kernels.resample import block_for, shrink
from dafre_fast.pixels.plan import WHOLE, ImagePlan, OutputPlan
from dafre_fast.pixels.rasters import Decoded, Pixels, Raster, cut, raster
from dafre_fast.pixels.sniff import Format

_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HIERARCHICAL = {0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF}
_BASELINE_TO_PROGRESSIVE = {0xC0, 0xC1, 0xC2}
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1, 0xC9}, {0xC2, 0xC6, 0xCA, 0xCE}
_SOF2, _SOS, _APP0, _APP1, _APP2, _APP14 = 0xC2, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_YCC, _YCCK = 1, 2
"""What Adobe's transform can be, if it is not 0."""
_WHOLE_BLOCKS = bytes([0, 63, 0])
"""Spectral selection and successive approximation of a sequential scan (B.2.3)."""
_SCAN = b"\xff\xda"
_SPACES = {1: Space.GREY, 4: Space.CMYK}
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}


def read_header(data: bytes) -> Header:
    """Size, orientation and profile from the markers before the first scan.

    Raises Refusal: CORRUPT_HEADER where there is no frame header, UNSUPPORTED_FORMAT for what no
    decoder here reads.
    """
    exif, profile, transform, first_scan = b"", dict[int, bytes](), -1, 0
    frame: tuple[int, bytes] | None = None
    for marker, body in _segments(data):
        if marker in _SOF and len(body) >= 6:
            frame = frame or (marker, body)
        elif marker == _APP1 and body.startswith(b"Exif\0"):
            exif = exif or body[6:]  # of several, the first counts: libvips' rule
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile.setdefault(body[12], body[14:])
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            transform = body[11]
        elif marker == _SOS and body:
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
    grey_with_profile = components == 1 and bool(profile)  # it speaks of grey, not of RGB
    coded_as_rgb = components == 3 and (transform == 0 or body[6::3][:3] == b"RGB")
    return Header(
        format=Format.JPEG,
        stored=Size(width, height),
        orientation=exif_orientation(exif),
        progressive=marker == _SOF2,
        # In coded data 0xFF is never followed by 0xDA: this counts scans, and thumbnails' too.
        scans=1 if streams else data.count(_SCAN),
        held=0 if streams else _coefficient_bytes(width * height, body),
        space=_SPACES.get(components, Space.RGB),
        profile=b"".join(part for _, part in sorted(profile.items())) or None,
        plain=(
            marker in _BASELINE_TO_PROGRESSIVE
            and components in (1, 3)
            and not coded_as_rgb
            and not grey_with_profile
        ),
    )


def ends_early(data: bytes | mmap) -> bool:
    """True where no EOI follows the last scan."""
    end = data.rfind(b"\xff\xd9")
    return end < 0 or data.find(_SCAN, end) >= 0


def _coefficient_bytes(pixels: int, frame: bytes) -> int:
    """What a decoder holds of a file of several scans: 16 bits per coefficient of every component,
    by their sampling factors.
    """
    sampling = [(factors >> 4, factors & 15) for factors in frame[7::3]]
    full = max((h for h, _ in sampling), default=1) * max((v for _, v in sampling), default=1)
    return 2 * pixels * sum(h * v for h, v in sampling) // max(full, 1)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of each segment up to the first scan; junk between segments is skipped."""
    for marker, start, end in _places(data):
        yield marker, data[start + 4 : end]


def _places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, first byte and end of each segment up to the first scan's header."""
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _NO_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
        yield marker, at, end
        if marker == _SOS:
            return
        at = end


def mended(data: bytes) -> bytes:
    """The file with its header as it should be, where decoders warn of what says nothing about the
    pixels: junk between segments, a version of JFIF or a code of Adobe's that does not exist, and
    numbers for progression in a sequential scan. What is left to warn of is damage.
    """
    places = [*_places(data)]
    frame, components = next(
        (
            (marker, data[start + 9])
            for marker, start, _ in places
            if marker in _SOF and start + 9 < len(data)
        ),
        (0, 0),
    )
    parts, behind = [data[:2]], len(data)
    for marker, start, behind in places:
        part = bytearray(data[start:behind])
        body = part[4:]
        if marker == _APP0 and body.startswith(b"JFIF\0") and len(body) > 5:
            part[9] = 1
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) > 11 and body[11]:
            part[15] = _YCCK if components == 4 else _YCC
        elif marker == _SOS and frame in _SEQUENTIAL and len(body) > 3:
            part[-3:] = _WHOLE_BLOCKS
        parts.append(bytes(part))
    return b"".join(parts) + data[behind:]


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
    """RGB at `eighths` (1, 2, 4 or 8) / 8 of the stored size, rounded up as libjpeg has it."""
    decoder = turbo()
    if decoder is None:
        return vips.decode(data, Format.JPEG, WHOLE // eighths)
    from turbojpeg import TJFLAG_ACCURATEDCT, TJPF_RGB

    width, height = (-(-side * eighths // WHOLE) for side in stored)
    # Zeroed: what a damaged file leaves unwritten must not be the last picture's pixels.
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
    if decoded is not pixels:  # it found another size in the header than we did
        raise Refusal(Reason.CORRUPT_HEADER, "two sizes")
    return pixels


def encode(pixels: Pixels, quality: int, subsampling: str) -> bytes:
    """Baseline JPEG."""
    encoder = turbo()
    if encoder is None:
        return vips.encode(pixels, quality, subsampling)
    from turbojpeg import TJFLAG_ACCURATEDCT, TJPF_RGB, TJPF_RGBX, TJSAMP_420, TJSAMP_444

    layout = TJPF_RGB if pixels.shape[2] == 3 else TJPF_RGBX
    chroma = TJSAMP_420 if subsampling == "4:2:0" else TJSAMP_444
    # numpy calls a single row contiguous whatever its stride; the encoder does not.
    pixels = np.ascontiguousarray(pixels).ravel().reshape(pixels.shape)
    return bytes(encoder.encode(pixels, quality, layout, chroma, flags=TJFLAG_ACCURATEDCT))
