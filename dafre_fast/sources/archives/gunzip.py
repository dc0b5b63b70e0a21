"""Decompress an archive in gzip while it comes."""

import zlib
from collections.abc import AsyncGenerator

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources import inflate
from dafre_fast.sources.manners.effort import Passing

_GZIP_BITS = 31
_MAGIC = b"\x1f\x8b"


async def gunzipped(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what gzip data hold, in pieces of bounded size; other data as they are. Raises Refusal
    for damaged data, and Passing if they break off.
    """
    head = b""
    async for chunk in chunks:
        head += chunk
        if len(head) >= len(_MAGIC):
            break
    if head.startswith(_MAGIC):
        async for piece in _inflated(head, chunks):
            yield piece
        return
    # A server may call the coding of the file that of the transfer: then it came off already.
    yield head
    async for chunk in chunks:
        yield chunk


async def _inflated(head: bytes, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    decoder = zlib.decompressobj(_GZIP_BITS)
    data, is_whole = head, True
    try:
        while data:
            for piece in inflate.inflated(decoder, data):
                yield piece
            data, is_whole = decoder.unused_data, decoder.eof
            if decoder.eof:  # another member of the same file may follow
                decoder = zlib.decompressobj(_GZIP_BITS)
            data = data or await anext(chunks, b"")
    except zlib.error as error:
        raise Refusal(Reason.BAD_INDEX, f"not gzip data ({error})") from error
    if not is_whole:
        raise Passing(Reason.NETWORK_ERROR, "gzip data break off")
