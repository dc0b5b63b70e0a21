"""What a decoder must know before it decodes, whatever the format."""

from msgspec import Struct

from dafre_fast.model.errors import Refusal
from dafre_fast.model.reason import Reason
from dafre_fast.pixels.geometry import Size, oriented
from dafre_fast.pixels.sniff import Format


class Header(Struct, frozen=True):
    """The stored picture: size in pixels, EXIF orientation 1 to 8, and the ICC profile if any.

    `plain` tells what the fast lane of its format reads, and every decoder alike: a JPEG of 8 bits,
    grey or YCbCr; a PNG of 8-bit RGB or RGBA.
    """

    format: Format
    stored: Size
    orientation: int = 1
    profile: bytes | None = None
    plain: bool = False
    progressive: bool = False

    @property
    def size(self) -> Size:
        """Size of the oriented picture."""
        return oriented(self.stored, self.orientation)


def check_header(header: Header, max_pixels: int) -> None:
    """Refuse what would cost too much, before a single pixel is decoded."""
    width, height = header.stored
    if width < 1 or height < 1:
        raise Refusal(Reason.CORRUPT_HEADER, f"{width} x {height} pixels")
    if width * height > max_pixels:
        raise Refusal(Reason.TOO_MANY_PIXELS, f"{width} x {height}, more than {max_pixels:,}")


def exif_orientation(exif: bytes) -> int:
    """Orientation from an Exif block (TIFF header onwards, Exif 2.32); 1 where it is broken."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)  # type: ignore[arg-type]

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), 1000)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == 0x0112:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def profile_space(profile: bytes) -> bytes:
    """The colour space that an ICC profile speaks of (`RGB `, `GRAY`, `CMYK`; ICC.1:2022, 7.2);
    empty where it is no profile."""
    return profile[16:20] if profile[36:40] == b"acsp" else b""


def is_srgb(profile: bytes) -> bool:
    """True where an ICC profile describes itself as sRGB, so that there is nothing to convert.

    Reads the text of the `desc` tag: ASCII in version 2, UTF-16 in version 4 (ICC.1:2022, 10.15).
    """
    for entry in range(min(int.from_bytes(profile[128:132], "big"), 100)):
        at = 132 + 12 * entry
        if profile[at : at + 4] == b"desc":
            offset = int.from_bytes(profile[at + 4 : at + 8], "big")
            size = int.from_bytes(profile[at + 8 : at + 12], "big")
            return b"sRGB" in profile[offset : offset + size].replace(b"\0", b"")
    return False
