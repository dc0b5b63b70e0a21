"""Whether a JPEG that was written here is sound: whole, and decoded without a word of doubt.

Stricter than what is asked of originals, where libvips judges what a fast lane doubts.
"""

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import jpeg
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import ImagePlan, OutputPlan


def check_whole(data: bytes) -> Header:
    """The header of a file that goes from the first marker of a JPEG to the last; no pixel is
    decoded. Raises Refusal for another.
    """
    if not (data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")):
        raise Refusal(Reason.CORRUPT, "does not go from the first marker of a JPEG to the last")
    return jpeg.read_header(data)


def check_pixels(data: bytes, header: Header) -> None:
    """Decode every pixel. Raises Refusal where the decoder has the slightest warning."""
    whole = OutputPlan("whole", header.stored, exact=True)
    jpeg.decode(data, header, ImagePlan((whole,)))
