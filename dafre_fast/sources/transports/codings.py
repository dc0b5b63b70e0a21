"""Content codings of HTTP bodies (RFC 9110, 8.4.1): what servers declare, and what bodies have.

Servers declare codings that are none (`aws-chunked`, `utf-8`) or that the body does not have, and
code twice what they declare once. The content is checked anyway: whatever cannot be undone is
passed on as it comes.
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources import inflate
from dafre_fast.sources.manners.effort import Passing

_KNOWN = {"gzip", "x-gzip", "deflate"}
_NOT_READ = {"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"}
"""The other codings that there are (IANA, HTTP Content Coding Registry)."""
_GZIP, _ZLIB, _RAW = 31, 15, -15
"""Values of `wbits` (zlib's manual, inflateInit2)."""
_GZIP_MAGIC = b"\x1f\x8b"
_BEGIN_BYTES = 512
"""First bytes by which a coding is recognised."""


def declared(values: Sequence[str]) -> list[str]:
    """Return those codings of Content-Encoding headers that can be undone, the last applied first.

    `deflate` is zlib data, or raw deflate as some servers send it. Raises Refusal for a coding that
    is one, but cannot be undone here.
    """
    names = [name.strip().lower() for value in values for name in value.split(",")]
    if not _NOT_READ.isdisjoint(names):
        detail = f"Content-Encoding {', '.join(names)}, though identity was asked for"
        raise Refusal(Reason.HTTP_ERROR, detail)
    return [name for name in names if name in _KNOWN][::-1]


def decoder(codings: Sequence[str], *, is_gzip: bool) -> "Decoder":
    """Return a decoder for these codings, and for one more gzip under them, unless the content is
    gzip itself.
    """
    return Decoder(codings if is_gzip else [*codings, "gzip"])


class Decoder:
    """Undoes codings of a body, one after the other."""

    def __init__(self, codings: Sequence[str]) -> None:
        first, *others = codings
        self._layer, self._next = _Layer(first), Decoder(others) if others else None

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield the content in pieces of bounded size. Raises Passing if the data is damaged."""
        yield from self._on(self._layer.decode(data))

    def finish(self) -> Iterator[bytes]:
        """Yield the rest of the content. Raises Passing if the data is damaged or breaks off."""
        yield from self._on(self._layer.finish())
        if self._next:
            yield from self._next.finish()

    def _on(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield from self._next.decode(piece) if self._next else (piece,)


class _Layer:
    """One coding, if the data has it: else the data itself."""

    def __init__(self, coding: str) -> None:
        self._may_be_raw = coding == "deflate"
        self._held = b""
        """Bytes that wait until it is known what they are."""
        self._begun = self._ended = False
        self._inflating: Any = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._held += data
        if self._begun or len(self._held) >= _BEGIN_BYTES:
            yield from self._release()

    def finish(self) -> Iterator[bytes]:
        yield from self._release()
        if self._inflating and not self._inflating.eof:
            raise Passing(Reason.NETWORK_ERROR, "compressed data break off")

    def _release(self) -> Iterator[bytes]:
        if not self._begun:
            self._begun, wbits = True, _wbits(self._held, may_be_raw=self._may_be_raw)
            self._inflating = zlib.decompressobj(wbits) if wbits else None
        while self._held and not self._waits():
            data, self._held = self._held, b""
            if self._inflating is None:
                yield data
            elif not self._ended:
                yield from _inflated(self._inflating, data)
                self._held = self._inflating.unused_data

    def _waits(self) -> bool:
        """Go on to the next gzip member (RFC 1952, 2.2) at the end of one. Return True if more data
        must show whether there is one; what else is behind the end is no part of the content.
        """
        if self._inflating is None or self._ended or not self._inflating.eof:
            return False
        if len(self._held) < len(_GZIP_MAGIC):
            return True
        self._ended = not self._held.startswith(_GZIP_MAGIC)
        self._inflating = self._inflating if self._ended else zlib.decompressobj(_GZIP)
        return False


def _inflated(inflating: Any, data: bytes) -> Iterator[bytes]:
    try:
        yield from inflate.inflated(inflating, data)
    except zlib.error as error:
        raise Passing(Reason.NETWORK_ERROR, str(error)) from error


def _wbits(begin: bytes, *, may_be_raw: bool) -> int:
    """Return the `wbits` of compressed data, 0 for other data."""
    if begin.startswith(_GZIP_MAGIC):
        return _GZIP
    if begin[:1] and begin[0] & 15 == 8 and int.from_bytes(begin[:2]) % 31 == 0:
        return _ZLIB
    if not may_be_raw:
        return 0
    try:
        zlib.decompressobj(_RAW).decompress(begin, inflate.PIECE_BYTES)
    except zlib.error:
        return 0
    return _RAW
