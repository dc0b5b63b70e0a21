"""Checks of JPEG files that this project wrote: whole, and decoded without a warning.

Originals are judged less strictly: libvips has the last word where a fast lane has a doubt.
"""

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import jpeg
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import ImagePlan, OutputPlan


def check_whole(data: bytes) -> Header:
    """Return the header of a file that begins with SOI and ends with EOI. No pixel is decoded.

    Raises Refusal: CORRUPT for another beginning or end, or as `jpeg.read_header` does.
    """
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        raise Refusal(Reason.CORRUPT, "does not go from the first marker of a JPEG to the last")
    return jpeg.read_header(data)


def check_pixels(data: bytes, header: Header) -> None:
    """Decode every pixel. Raises Refusal (TRUNCATED or CORRUPT) for any warning of the decoder."""
    whole = OutputPlan("whole", header.stored, exact=True)
    jpeg.decode(data, header, ImagePlan((whole,)))
