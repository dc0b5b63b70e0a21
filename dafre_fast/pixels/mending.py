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
_TRIES = 3
"""libjpeg does not count bytes that it had read ahead: those are told the next time."""
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
                made, more = _decoded(mended, header, plan)
                if more in ("", words):
                    return made, words
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
    picture, said = markers.ended(markers.repaired(data)), list[Refusal]()
    for _ in range(_TRIES):
        try:
            jpeg.read_pixels(picture, header.stored, WHOLE)
        except Refusal as refusal:
            said.append(refusal)
            if not (stray := _STRAY.search(refusal.detail)):
                break
            picture = _without(picture, stray)
        else:
            return _BEHIND if said else ""
    raise said[0]


def _without(picture: bytes, stray: re.Match[str]) -> bytes:
    """Return a JPEG without so many bytes before its EOI."""
    return picture[: -len(markers.END) - int(stray[1])] + markers.END


def _mended(data: bytes, format: Format, said: str) -> Iterator[tuple[str, bytes]]:
    """Yield files that may be what the file was, each with what was wrong then."""
    if format is Format.JPEG:
        yield from _mended_jpegs(data, said)
    wrong = chunks.flaw(data) if format is Format.PNG else None
    if wrong and wrong.reason is Reason.TRUNCATED:
        yield wrong.detail, chunks.ended(data)


def _mended_jpegs(data: bytes, said: str) -> Iterator[tuple[str, bytes]]:
    for numbered in (markers.renumbered(data), *_with_one_more(data, said)):
        if numbered is not None and not vips.depends_on_more(numbered):
            yield "damaged restart markers", numbered
    picture, stray = markers.ended(data), _STRAY.search(said)
    if stray and markers.flaw(data):  # with an EOI of its own they are a sign of damage
        picture = _without(picture, stray)
    if are_complete(picture) and not vips.depends_on_more(picture):
        yield _BEHIND, picture


def _with_one_more(data: bytes, said: str) -> Iterator[bytes]:
    """Yield a JPEG with the restart marker that it misses: so many bytes before the next one as
    libjpeg tells, where one of its two bytes is left.
    """
    if not (stray := _STRAY.search(said)) or (gap := markers.gap(data)) is None:
        return
    at = gap.at - int(stray[1])
    for begin in (at, at - 1):
        left = data[begin : begin + 2]
        if left[:1] == gap.marker[:1] or left[1:] == gap.marker[1:]:
            yield data[:begin] + gap.marker + data[begin + 2 :]
