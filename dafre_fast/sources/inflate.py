"""Decompress data in pieces of bounded size, even if a few bytes become very many."""

from collections.abc import Iterator
from typing import Any

PIECE_BYTES = 1 << 18


def inflated(decoder: Any, data: bytes) -> Iterator[bytes]:
    """Yield what a `zlib.decompressobj` makes of more data. Raises zlib.error."""
    full = False
    while (data or full) and not decoder.eof:
        piece = decoder.decompress(data, PIECE_BYTES)
        yield piece
        # After a full piece the decoder may hold more output, though its input is used up.
        data, full = decoder.unconsumed_tail, len(piece) == PIECE_BYTES
