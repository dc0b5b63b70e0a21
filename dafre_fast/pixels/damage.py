"""Damage of a file: what its container shows, and what it means for the picture.

The container is read first, which costs next to nothing. What is wrong with it is a doubt, and the
decoder has the last word: all pixels may be there though an end marker is missing, or a checksum of
a comment is wrong. `download` and the commands that make images judge alike in this way.
"""

from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import Bounds, Recipe
from dafre_fast.pixels.decoders.registry import ROWS
from dafre_fast.pixels.sniff import sniff

_JUDGED = Recipe(bounds=Bounds(max_pixels=50_000_000, max_scans=50))
"""Bounds of pictures that are decoded to judge a file; larger ones are left to those who make
images."""
_UNSUPPORTED = ("unsupported", "not supported", "not configured", "not been built in")


def named(data: bytes, format: Format, refused: Refusal) -> Refusal:
    """Return a decoder's refusal with the reason and the words that the container gives it.

    The reason becomes UNSUPPORTED_FORMAT if the decoder says so, TRUNCATED if the file ends early.
    """
    if refused.reason not in (Reason.CORRUPT, Reason.CORRUPT_HEADER):
        return refused
    if any(word in refused.detail.lower() for word in _UNSUPPORTED):
        return Refusal(Reason.UNSUPPORTED_FORMAT, refused.detail)
    flaw = ROWS[format].flaw(data)
    if flaw is None:
        return refused
    reason = Reason.TRUNCATED if flaw.reason is Reason.TRUNCATED else refused.reason
    return Refusal(reason, f"{flaw.detail}; {refused.detail}")


def check_end(data: bytes | mmap) -> bool:
    """Return True if a file reaches the end of its container with nothing wrong on the way, False
    if something is wrong that costs no pixel, or the picture is too large to be decoded here.

    Pixels are decoded only where something is wrong. Raises Refusal as `make_images` does then, or
    as `sniff` does.
    """
    if is_sound(data):
        return True
    decode_doubtful(bytes(data))
    return False


def is_sound(data: bytes | mmap) -> bool:
    """Return True if nothing is wrong with the container of a file. Raises Refusal as `sniff`."""
    return ROWS[sniff(data)].flaw(data) is None


def decode_doubtful(data: bytes) -> None:
    """Decode a file to see whether its picture is there. Raises Refusal as `make_images` does,
    unless the picture is too large to be decoded here.
    """
    from dafre_fast.pixels.making import show_images  # it loads the decoders, seldom needed here

    try:
        show_images(data, _JUDGED, ["full"])
    except Refusal as refusal:
        if refusal.reason.bounded and refusal.reason not in (Reason.TRUNCATED, Reason.CORRUPT):
            return
        raise
    except MemoryError:  # a larger one may have room enough
        return


def breaks_off(data: bytes | mmap, format: Format) -> bool:
    """Return True if a file ends before its container does."""
    flaw = ROWS[format].flaw(data)
    return flaw is not None and flaw.reason is Reason.TRUNCATED


def flaw_of(data: bytes | mmap, format: Format) -> str:
    """Return in words what is wrong with the container of a file; empty if nothing is."""
    flaw = ROWS[format].flaw(data)
    return flaw.detail if flaw else ""
