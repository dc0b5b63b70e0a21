"""The header of an original: all that is known before a pixel is decoded."""

from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import Bounds, Shapes
from dafre_fast.pixels.geometry import Size, oriented


class Space(StrEnum):
    """A colour space; the value is its signature in ICC profiles (ICC.1:2022, table 19)."""

    RGB = "RGB "
    GREY = "GRAY"
    CMYK = "CMYK"


class Header(Struct, frozen=True):
    """The header of an original, of whatever format."""

    format: Format
    stored: Size
    """Width and height in pixels, before the picture is turned."""
    orientation: int = 1
    """EXIF orientation, 1 to 8."""
    space: Space = Space.RGB
    """The space that the profile has to be for."""
    profile: bytes | None = None
    """The ICC profile, or one made of what else tells the colours; None if they are sRGB, empty if
    what tells them cannot be read."""
    alpha: bool = False
    """True if pixels may be transparent: the profile is applied before they are laid on white."""
    plain: bool = False
    """True for what fast lanes read: JPEG of 8 bits, grey or YCbCr; PNG of 8-bit RGB or RGBA."""
    both_at_once: bool = False
    """True if the picture at a reduced scale and a region at full scale take one decode."""
    progressive: bool = False
    scans: int = 1
    frames: int = 1
    held: int = 0
    """Bytes that a decoder holds at once, about; 0 if it can decode row by row."""
    decoder: str = "vips"
    """Decodes what no fast lane does: a name in the rows of `decoders.registry`."""

    @property
    def size(self) -> Size:
        """Width and height in pixels of the picture once turned upright."""
        return oriented(self.stored, self.orientation)


def check_header(header: Header, bounds: Bounds) -> None:
    """Check that decoding stays within `bounds`.

    Raises Refusal: CORRUPT_HEADER for a side of 0 pixels, TOO_MANY_PIXELS, TOO_MANY_SCANS,
    TOO_MANY_FRAMES or TOO_MUCH_MEMORY.
    """
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


def check_shape(header: Header, shapes: Shapes) -> None:
    """Check that an original is neither smaller nor longer than is wanted. Raises Refusal:
    TOO_SMALL or TOO_ELONGATED.
    """
    width, height = header.size
    short, long = sorted((width, height))
    if shapes.min_image_size and short < shapes.min_image_size:
        raise Refusal(Reason.TOO_SMALL, f"{width} x {height} pixels")
    if shapes.max_aspect_ratio and long > shapes.max_aspect_ratio * short:
        raise Refusal(Reason.TOO_ELONGATED, f"{width} x {height} pixels")


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, from an Exif block (TIFF header onwards; Exif 2.32, tag
    0x0112); 1 if there is none or the block is broken.
    """
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
    """Return the colour space that an ICC profile is for (ICC.1:2022, 7.2); None if it is for
    another space, or the bytes are no profile.
    """
    known = profile[36:40] == b"acsp" and profile[16:20].decode("latin-1") in {*Space}
    return Space(profile[16:20].decode("latin-1")) if known else None
