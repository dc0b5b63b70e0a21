"""What is wrong with a file that no decoder reads, as its container tells. Asked afterwards."""

from collections.abc import Callable
from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import chunks, markers
from dafre_fast.pixels.sniff import SNIFF_BYTES, sniff

_GIF_TRAILER = b";"
_UNSUPPORTED = ("unsupported", "not supported", "not configured")


def named(data: bytes, refused: Refusal) -> Refusal:
    """The refusal, as UNSUPPORTED_FORMAT where the decoder says so, as TRUNCATED where the file
    breaks off, and with what its container tells better than the decoder.
    """
    if refused.reason not in (Reason.CORRUPT, Reason.CORRUPT_HEADER):
        return refused
    if any(word in refused.detail.lower() for word in _UNSUPPORTED):
        return Refusal(Reason.UNSUPPORTED_FORMAT, refused.detail)
    format = sniff(data[:SNIFF_BYTES])
    reason = Reason.TRUNCATED if breaks_off(data, format) else refused.reason
    told = chunks.damage(data) if format is Format.PNG else ""
    return Refusal(reason, told or refused.detail)


def check_end(data: bytes | mmap) -> None:
    """Whether a file comes to the end of its container; of a PNG, every checksum besides. No pixel
    is decoded. Raises Refusal TRUNCATED or CORRUPT.
    """
    format = sniff(data[:SNIFF_BYTES])
    if breaks_off(data, format):
        raise Refusal(Reason.TRUNCATED, f"this {format} does not come to its end")
    if format is Format.PNG and (told := chunks.damage(data)):
        raise Refusal(Reason.CORRUPT, told)


def breaks_off(data: bytes | mmap, format: Format) -> bool:
    """True where a file ends before its container does."""
    ends_early = _ENDS_EARLY.get(format)
    return ends_early is not None and ends_early(data)


def _webp_ends_early(data: bytes | mmap) -> bool:
    return len(data) < 8 + int.from_bytes(data[4:8], "little")


def _gif_ends_early(data: bytes | mmap) -> bool:
    return _GIF_TRAILER not in data[-2:]


_ENDS_EARLY: dict[Format, Callable[[bytes | mmap], bool]] = {
    Format.JPEG: markers.ends_early,
    Format.PNG: chunks.ends_early,
    Format.GIF: _gif_ends_early,
    Format.WEBP: _webp_ends_early,
}
