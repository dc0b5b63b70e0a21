"""Compressed data in pieces of bounded size, however much a few bytes would give."""

from collections.abc import Iterator
from typing import Any

PIECE_BYTES = 1 << 18


def inflated(decoder: Any, data: bytes) -> Iterator[bytes]:
    """What a `zlib.decompressobj` makes of more data. Raises zlib.error."""
    full = False
    while (data or full) and not decoder.eof:
        piece = decoder.decompress(data, PIECE_BYTES)
        yield piece
        # A full piece may leave something in the decoder, though its input is used up.
        data, full = decoder.unconsumed_tail, len(piece) == PIECE_BYTES
