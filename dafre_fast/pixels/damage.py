"""Damage of a file as its container shows it: where it breaks off, and which parts are wrong."""

from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders.registry import ROWS
from dafre_fast.pixels.sniff import sniff

_UNSUPPORTED = ("unsupported", "not supported", "not configured", "not been built in")


def named(data: bytes, format: Format, refused: Refusal) -> Refusal:
    """Return a decoder's refusal with the reason and the words that the container gives it.

    The reason becomes UNSUPPORTED_FORMAT if the decoder says so, TRUNCATED if the file ends early.
    """
    if refused.reason not in (Reason.CORRUPT, Reason.CORRUPT_HEADER):
        return refused
    if any(word in refused.detail.lower() for word in _UNSUPPORTED):
        return Refusal(Reason.UNSUPPORTED_FORMAT, refused.detail)
    reason = Reason.TRUNCATED if breaks_off(data, format) else refused.reason
    return Refusal(reason, ROWS[format].damage(data) or refused.detail)


def check_end(data: bytes | mmap) -> None:
    """Check that a file reaches the end of its container and, for PNG, has right checksums.

    No pixel is decoded. Raises Refusal: TRUNCATED or CORRUPT, or as `sniff` does.
    """
    format = sniff(data)
    if breaks_off(data, format):
        raise Refusal(Reason.TRUNCATED, f"this {format} does not come to its end")
    if wrong := ROWS[format].damage(data):
        raise Refusal(Reason.CORRUPT, wrong)


def breaks_off(data: bytes | mmap, format: Format) -> bool:
    """Return True if a file ends before its container does."""
    ends_early = ROWS[format].ends_early
    return ends_early is not None and ends_early(data)
