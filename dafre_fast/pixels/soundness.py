"""Checks of image files that this project wrote: whole, and decoded without a warning.

Originals are judged less strictly: libvips has the last word where a fast lane has a doubt.
"""

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import choose, jpeg, registry
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import ImagePlan, OutputPlan
from dafre_fast.pixels.sniff import sniff


def check_whole(data: bytes) -> Header:
    """Return the header of a JPEG that begins with SOI and ends with EOI, or of a whole file of
    another format. No pixel is decoded.

    Raises Refusal: CORRUPT for another beginning or end, or as `read_header` of the format does.
    """
    format = sniff(data)
    if format in (Format.PNG, Format.WEBP):
        if flaw := registry.ROWS[format].flaw(data):
            raise flaw
        return choose.read_header(data)
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        raise Refusal(Reason.CORRUPT, "does not go from the first marker of a JPEG to the last")
    return jpeg.read_header(data)


def check_pixels(data: bytes, header: Header) -> None:
    """Decode every pixel. Raises Refusal (TRUNCATED or CORRUPT) for any warning of the decoder."""
    whole = OutputPlan("whole", header.stored, exact=True)
    if header.format is Format.JPEG:
        jpeg.decode(data, header, ImagePlan((whole,)))
    else:
        choose.decode(data, header, ImagePlan((whole,)))
