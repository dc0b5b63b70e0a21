"""The chunks of a PNG file: walked, and checked (PNG, third edition, 5)."""

from collections.abc import Iterator
from itertools import groupby
from mmap import mmap

import deflate

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

_SIGNATURE_BYTES = 8
OUT_OF_ORDER = "chunks out of order, or one that must be understood"


def chunks(data: bytes | mmap, *, checked: bool) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and body of each chunk up to IEND or the end of the data.

    Raises Refusal, if `checked`: CORRUPT for a wrong checksum, TRUNCATED if the data ends within a
    chunk.
    """
    view = memoryview(data)
    at, name = _SIGNATURE_BYTES, b""
    while name != b"IEND":
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if end + 4 > len(view):
            if checked:
                raise Refusal(Reason.TRUNCATED, "the file ends within a chunk")
            return
        name = bytes(view[at + 4 : at + 8])
        if checked and deflate.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4]):
            raise Refusal(Reason.CORRUPT, f"wrong checksum of a chunk {name!r}")
        yield name, view[at + 8 : end]
        at = end + 4


def are_in_order(names: list[bytes]) -> bool:
    """Return True for one IHDR, one run of IDAT and one IEND, with no other chunk that a decoder
    may not skip, except a palette. Critical names begin with a capital letter (5.4).
    """
    runs = [name for name, _ in groupby(names)]
    critical = [name for name in runs if name[:1].isupper() and name != b"PLTE"]
    in_order = names.count(b"IHDR") == 1 and critical == [b"IHDR", b"IDAT", b"IEND"]
    return in_order and all(map(bytes.isalpha, runs))


def ends_early(data: bytes | mmap) -> bool:
    """Return True if no chunk is an IEND."""
    return all(name != b"IEND" for name, _ in chunks(data, checked=False))


def damage(data: bytes | mmap) -> str:
    """Return what is wrong with the chunks or their checksums, in words; empty if nothing is."""
    try:
        names = [name for name, _ in chunks(data, checked=True)]
    except Refusal as refusal:
        return refusal.detail
    return "" if are_in_order(names) else OUT_OF_ORDER
