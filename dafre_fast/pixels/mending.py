"""Mend a JPEG or PNG that the decoder refuses though all its pixels are there.

A mended file counts only if the strict decoder has nothing against it any more: it then has as many
coded blocks as it should have, between any two restart markers and in every scan.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import choose, chunks, jpeg, markers, vips
from dafre_fast.pixels.decoders.scans import are_complete
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import LARGEST_WHOLE, WHOLE, ImagePlan
from dafre_fast.pixels.rasters import Pictures

_STRAY = re.compile(r"(\d+) extraneous bytes before marker")
"""A warning of libjpeg: bytes between the last block of a scan and the next marker."""
_BEHIND = "bytes behind the last scan"


def decoded(data: bytes, header: Header, plan: ImagePlan) -> tuple[Pictures, str]:
    """Return the outputs by the decoder of the format, and in words what had to be mended, if
    anything. Raises the decoder's Refusal if nothing helps.
    """
    try:
        return _decoded(data, header, plan)
    except Refusal as refusal:
        for words, mended in _mended(data, header.format, refusal.detail):
            with suppress(Refusal):
                return _decoded(mended, header, plan)[0], words
        raise


def _decoded(data: bytes, header: Header, plan: ImagePlan) -> tuple[Pictures, str]:
    made = choose.decode_carefully(data, header, plan)
    width, height = header.stored
    if header.format is Format.JPEG and header.plain and width * height <= LARGEST_WHOLE:
        return made, _unseen(data, header)
    return made, ""


def _unseen(data: bytes, header: Header) -> str:
    """Return what libvips does not look for at the end of a JPEG, in words. Raises Refusal if that
    costs pixels.
    """
    try:
        jpeg.read_pixels(markers.ended(markers.repaired(data)), header.stored, WHOLE)
    except Refusal as refusal:
        if not _STRAY.search(refusal.detail):
            raise
        return _BEHIND
    return ""


def _mended(data: bytes, format: Format, said: str) -> Iterator[tuple[str, bytes]]:
    """Yield files that may be what the file was, each with what was wrong then."""
    if format is Format.JPEG:
        yield from _mended_jpegs(data, said)
    wrong = chunks.flaw(data) if format is Format.PNG else None
    if wrong and wrong.reason is Reason.TRUNCATED:
        yield wrong.detail, chunks.ended(data)


def _mended_jpegs(data: bytes, said: str) -> Iterator[tuple[str, bytes]]:
    numbered = markers.renumbered(data)
    if numbered is not None and not vips.depends_on_more(numbered):
        yield "damaged restart markers", numbered
    picture, stray = markers.ended(data), _STRAY.search(said)
    if stray and markers.flaw(data):  # with an EOI of its own they are a sign of damage
        picture = picture[: -len(markers.END) - int(stray[1])] + markers.END
    if are_complete(picture) and not vips.depends_on_more(picture):
        yield _BEHIND, picture
