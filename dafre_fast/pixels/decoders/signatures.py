"""Tests of a file's first bytes, to recognise its format. Each returns such a test."""

from collections.abc import Callable

Signature = Callable[[bytes], bool]
"""True for the first bytes of a file of one format."""

_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def begins_with(*magic: bytes) -> Signature:
    """Any of these byte strings at the start of the file."""
    return lambda head: head.startswith(magic)


def is_riff(kind: bytes) -> Signature:
    """A RIFF file of this kind, four letters (WHATWG MIME Sniffing, 6.1)."""
    return lambda head: head[:4] == b"RIFF" and head[8:12] == kind


def has_brand(*brands: bytes) -> Signature:
    """An ISO media file with any of these as its major or as a compatible brand (ISO/IEC 14496-12,
    4.3).
    """

    def signature(head: bytes) -> bool:
        if head[4:8] != b"ftyp":
            return False
        end = min(int.from_bytes(head[:4], "big"), len(head))
        compatible = (head[at : at + 4] for at in range(16, end - 3, 4))
        return not {head[8:12], *compatible}.isdisjoint(brands)

    return signature


def is_bmp(head: bytes) -> bool:
    """Test for a BMP: the letters BM and, 14 bytes on, a header of a known size."""
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
