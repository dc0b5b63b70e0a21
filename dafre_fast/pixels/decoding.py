"""One original, decoded at the scales that its outputs ask for, by the decoder that fits it."""

import pyvips

from dafre_fast.model.errors import Refusal
from dafre_fast.pixels import jpeg, vips
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.planning import WHOLE
from dafre_fast.pixels.sniff import SNIFF_BYTES, Format, sniff

_IN_MEMORY_PIXELS = 64_000_000
"""Up to here a picture whose face is wanted is decoded once, as a whole, and kept: a crop alone
would not show that the file breaks off below it. A larger one streams through for each output, so
that memory stays bounded."""


def read_header(data: bytes) -> Header:
    """Raises Refusal where the bytes are no picture that is read here."""
    format = sniff(data[:SNIFF_BYTES])
    return jpeg.read_header(data) if format is Format.JPEG else vips.read_header(data, format)


class Original:
    """The bytes of one file and its header. Plain JPEGs go through libjpeg-turbo where there is
    one; what it warns about, and everything else, through libvips, which judges for good.
    """

    def __init__(self, data: bytes, header: Header, *, whole: bool) -> None:
        self.header = header
        self._data = data
        self._keep = whole and header.stored.width * header.stored.height <= _IN_MEMORY_PIXELS
        self._decoded: dict[int, pyvips.Image] = {}
        self._turbo = header.plain and jpeg.turbo() is not None

    def at(self, eighths: int) -> pyvips.Image:
        """The picture at `eighths` / 8 of its stored size (below 8 for JPEG alone), on white, not
        turned. Raises Refusal; so may `vips.render` on what is made of it.
        """
        if eighths not in self._decoded:
            image = self._decode(eighths)
            if not self._keep:
                return image
            self._decoded[eighths] = image
        return self._decoded[eighths]

    def _decode(self, eighths: int) -> pyvips.Image:
        if self._turbo:
            try:
                pixels = jpeg.decode(self._data, self.header, eighths)
                return vips.from_pixels(pixels, self.header.profile)
            except Refusal:
                self._turbo = False
        image = vips.load(self._data, self.header.format, WHOLE // eighths)
        return vips.in_memory(image) if self._keep else image
