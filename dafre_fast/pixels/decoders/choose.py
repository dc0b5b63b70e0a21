"""The way from a file to its pixels: read the header, then decode by the fast lane of the format,
or by the decoder that read the header. `registry` has the decoders of each format.
"""

from collections.abc import Callable, Sequence
from functools import partial

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.colour import pixels_to_srgb

# Workers are forked with these loaded; other decoders are imported when a file needs them.
from dafre_fast.pixels.decoders import jpeg, png, registry, vips  # noqa: F401
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.kernels.resample import resize
from dafre_fast.pixels.plan import ImagePlan
from dafre_fast.pixels.rasters import Decoded, Pictures
from dafre_fast.pixels.sniff import sniff

Reader = Callable[[bytes], Header]

ANOTHER_MAY_READ = {Reason.UNSUPPORTED_FORMAT, Reason.CORRUPT_HEADER, Reason.CORRUPT}
"""Reasons for which the next reader is tried, if there is one."""


def readers(format: Format) -> Sequence[Reader]:
    """Return the functions that may read the header of such a file, the best first."""
    row = registry.ROWS[format]
    if row.fast_lane:
        return [registry.fast_lane(row.fast_lane).read_header]
    return [partial(registry.decoder(name).read_header, format=format) for name in row.decoders]


def read_header(data: bytes) -> Header:
    """Return the header by the first reader that finds one.

    Raises Refusal if the bytes are no picture that can be decoded, or no reader finds a header.
    """
    *others, last = readers(sniff(data))
    for read in others:
        try:
            return read(data)
        except Refusal as refusal:
            if refusal.reason not in ANOTHER_MAY_READ:
                raise
    return last(data)


def decode(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Return the outputs at their final size, sRGB uint8 (height, width, 3 or 4), not yet turned.

    Raises Refusal if the file is damaged. A doubt of the fast lane is no damage: the decoder has
    the last word.
    """
    made = decode_fast(data, header, plan)
    return decode_carefully(data, header, plan) if made is None else made


def decode_fast(data: bytes, header: Header, plan: ImagePlan) -> Pictures | None:
    """Return what `decode` does if the fast lane has no doubt about the file, else None."""
    sources = _by_fast_lane(data, header, plan)
    if sources is None:
        return None
    return {
        one.name: pixels_to_srgb(resize(sources[one.name], one.size), header.profile)
        for one in plan.outputs
    }


def decode_carefully(data: bytes, header: Header, plan: ImagePlan) -> Pictures:
    """Return what `decode` does, by the decoder. Raises Refusal if the file is damaged."""
    return registry.decoder(header.decoder).decode(data, header, plan)


def _by_fast_lane(data: bytes, header: Header, plan: ImagePlan) -> Decoded | None:
    name = registry.ROWS[header.format].fast_lane
    if not name or not registry.fast_lane(name).fits(header, plan):
        return None
    try:
        return registry.fast_lane(name).decode(data, header, plan)
    except Refusal:
        return None
