"""What a decoder must know before it decodes, whatever the format."""

from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import Bounds
from dafre_fast.pixels.geometry import Size, oriented


class Space(StrEnum):
    """Colour spaces, by the signatures that ICC profiles have for them."""

    RGB = "RGB "
    GREY = "GRAY"
    CMYK = "CMYK"


class Header(Struct, frozen=True):
    """The stored picture: size in pixels, EXIF orientation 1 to 8, colour space, and the ICC
    profile if any, empty where there is one that cannot be unpacked.

    `plain` tells what the fast lane of its format reads, and every decoder alike: a JPEG of 8 bits,
    grey or YCbCr; a PNG of 8-bit RGB or RGBA. `held` is about how many bytes a decoder must hold
    at once, 0 where it can go row by row. `decoder` decodes what no fast lane does: a name in the
    rows of `decoders.registry`.
    """

    format: Format
    stored: Size
    orientation: int = 1
    space: Space = Space.RGB
    profile: bytes | None = None
    plain: bool = False
    progressive: bool = False
    scans: int = 1
    frames: int = 1
    held: int = 0
    decoder: str = "vips"

    @property
    def size(self) -> Size:
        """Size of the oriented picture."""
        return oriented(self.stored, self.orientation)


def check_header(header: Header, bounds: Bounds) -> None:
    """Refuse what would cost too much, before a single pixel is decoded."""
    width, height = header.stored
    if width < 1 or height < 1:
        raise Refusal(Reason.CORRUPT_HEADER, f"{width} x {height} pixels")
    for reason, found, most in (
        (Reason.TOO_MANY_PIXELS, width * height, bounds.max_pixels),
        (Reason.TOO_MANY_SCANS, header.scans, bounds.max_scans),
        (Reason.TOO_MANY_FRAMES, header.frames, bounds.max_frames),
        (Reason.TOO_MUCH_MEMORY, header.held, bounds.worker_memory),
    ):
        if found > most:
            raise Refusal(reason, f"{found:,}, at most {most:,} allowed ({width} x {height})")


def exif_orientation(exif: bytes) -> int:
    """Orientation from an Exif block (TIFF header onwards, Exif 2.32); 1 where it is broken."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[at : at + size], order)  # type: ignore[arg-type]

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), len(exif) // 12)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == 0x0112:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1


def profile_space(profile: bytes) -> Space | None:
    """The colour space that an ICC profile speaks of (ICC.1:2022, 7.2); None where it is none that
    pictures here have, or no profile.
    """
    known = profile[36:40] == b"acsp" and profile[16:20].decode("latin-1") in {*Space}
    return Space(profile[16:20].decode("latin-1")) if known else None
