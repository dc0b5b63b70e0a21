"""The chunks of a PNG file: walked, and checked (PNG, third edition, 5)."""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from mmap import mmap
from typing import Any

import deflate

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason

_SIGNATURE_BYTES = 8
_PIECE_BYTES = 1 << 20
_ENDS_EARLY = "the file ends within a chunk"
OUT_OF_ORDER = "chunks out of order, or one that must be understood"


def chunks(data: bytes | mmap, *, checked: bool) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and body of each chunk up to IEND or the end of the data.

    Raises Refusal, if `checked`: CORRUPT for a wrong checksum, TRUNCATED if the data ends within a
    chunk.
    """
    view, name = memoryview(data), b""
    for name, at, end in _walk(view):
        if checked and not _is_right(view, at, end):
            raise Refusal(Reason.CORRUPT, f"wrong checksum of a chunk {name!r}")
        yield name, view[at + 8 : end]
    if checked and name != b"IEND":
        raise Refusal(Reason.TRUNCATED, _ENDS_EARLY)


def _walk(view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, begin, and end of the body of each chunk that is there with its checksum."""
    at, name = _SIGNATURE_BYTES, b""
    while name != b"IEND":
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if end + 4 > len(view):
            return
        name = bytes(view[at + 4 : at + 8])
        yield name, at, end
        at = end + 4


def _is_right(view: memoryview, at: int, end: int) -> bool:
    return deflate.crc32(view[at + 4 : end]) == int.from_bytes(view[end : end + 4])


def ended(data: bytes) -> bytes:
    """Return a file that breaks off with an IEND, and its last chunk as long as it is there."""
    view, at = memoryview(data), _SIGNATURE_BYTES
    for _, _, end in _walk(view):
        at = end + 4
    name, body = data[at + 4 : at + 8], data[at + 8 :]
    there = body[: int.from_bytes(data[at : at + 4], "big")]
    last = _chunk(name, there) if name == b"IDAT" else b""
    return data[:at] + last + _chunk(b"IEND", b"")


def _chunk(name: bytes, body: bytes) -> bytes:
    sums = deflate.crc32(name + body)
    return len(body).to_bytes(4, "big") + name + body + sums.to_bytes(4, "big")


def pixel_bytes(data: bytes) -> int:
    """Return how many bytes of scanlines can be unpacked from the IDAT chunks."""
    unpacking, count = zlib.decompressobj(), 0
    with suppress(zlib.error):
        for name, body in chunks(data, checked=False):
            if name == b"IDAT":
                count += sum(map(len, _unpacked(unpacking, body)))
    return count


def _unpacked(unpacking: Any, packed: bytes | memoryview) -> Iterator[bytes]:
    while packed and not unpacking.eof:
        yield unpacking.decompress(packed, _PIECE_BYTES)
        packed = unpacking.unconsumed_tail


def are_in_order(names: list[bytes]) -> bool:
    """Return True for one IHDR, one run of IDAT and one IEND, with no other chunk that a decoder
    may not skip, except a palette. Critical names begin with a capital letter (5.4).
    """
    runs = [name for name, _ in groupby(names)]
    critical = [name for name in runs if name[:1].isupper() and name != b"PLTE"]
    in_order = names.count(b"IHDR") == 1 and critical == [b"IHDR", b"IDAT", b"IEND"]
    return in_order and all(map(bytes.isalpha, runs))


def flaw(data: bytes | mmap) -> Refusal | None:
    """Return what is wrong with the chunks up to IEND or with their checksums, None if nothing is.

    The reason is TRUNCATED if the file ends before an IEND, else CORRUPT. Chunks that a decoder may
    skip are named only if the others are right.
    """
    view = memoryview(data)
    found = [(name, _is_right(view, at, end)) for name, at, end in _walk(view)]
    names, wrong = [name for name, _ in found], [name for name, right in found if not right]
    if names[-1:] != [b"IEND"]:
        return Refusal(Reason.TRUNCATED, _ENDS_EARLY)
    needed = [name for name in wrong if name[:1].isupper()]
    if needed or (wrong and are_in_order(names)):
        return Refusal(Reason.CORRUPT, f"wrong checksum of a chunk {(needed or wrong)[0]!r}")
    return None if are_in_order(names) else Refusal(Reason.CORRUPT, OUT_OF_ORDER)
