"""WebP: the chunks of its RIFF container, checked, and put right (RFC 9649, 2.3 to 2.7)."""

from collections.abc import Iterator
from mmap import mmap

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

_BEGIN = 12
"""Offset of the first chunk."""
_KNOWN = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}


def flaw(data: bytes | mmap) -> Refusal | None:
    """Return what is wrong with the sizes that the container gives, None if nothing is.

    The reason is TRUNCATED if the file is shorter than they say, else CORRUPT. Bytes behind the end
    do not count.
    """
    said = _end(data)
    if said > len(data):
        return Refusal(Reason.TRUNCATED, f"{len(data):,} bytes of {said:,}")
    begun = (end for at, end in _chunks(data) if at < max(said, _BEGIN + 1))
    if any(end > said for end in begun):
        return Refusal(Reason.CORRUPT, f"a chunk goes on behind the end, at byte {said:,}")
    return None


def repaired(data: bytes) -> bytes:
    """Return the file with the sizes of the chunks that are there; itself if it has no flaw.

    A byte of padding that is missing is added, and a chunk that breaks off is left out.
    """
    if flaw(data) is None:
        return data
    parts = [data[at:end] for at, end in _chunks(data) if end <= len(data)]
    body = b"WEBP" + b"".join(part + bytes(len(part) % 2) for part in parts)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _end(data: bytes | mmap) -> int:
    return 8 + int.from_bytes(data[4:8], "little")


def _chunks(data: bytes | mmap) -> Iterator[tuple[int, int]]:
    """Yield begin and end, without padding, of each chunk that a WebP may have."""
    at = _BEGIN
    while data[at : at + 4] in _KNOWN:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        yield at, end
        at = end + (end - at) % 2
