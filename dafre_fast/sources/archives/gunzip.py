"""Decompress an archive in gzip while it comes."""

import zlib
from collections.abc import AsyncGenerator

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.sources import inflate
from dafre_fast.sources.manners.effort import Passing

_GZIP_BITS = 31


async def gunzipped(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield what gzip data hold, in pieces of bounded size. Raises Refusal for other data, and
    Passing if they break off.
    """
    decoder = zlib.decompressobj(_GZIP_BITS)
    is_whole = True
    try:
        async for chunk in chunks:
            data = chunk
            while data:
                for piece in inflate.inflated(decoder, data):
                    yield piece
                data, is_whole = decoder.unused_data, decoder.eof
                if decoder.eof:  # another member of the same file may follow
                    decoder = zlib.decompressobj(_GZIP_BITS)
    except zlib.error as error:
        raise Refusal(Reason.BAD_INDEX, f"not gzip data ({error})") from error
    if not is_whole:
        raise Passing(Reason.NETWORK_ERROR, "gzip data break off")
