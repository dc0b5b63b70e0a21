"""All formats that can be decoded, one row each.

To add a format: a row here, its name and extensions in `dafre_fast/core/formats.py`, and a module
beside this one with the functions of `Decoder`, unless libvips or Pillow reads it. Decoders are
named, not imported: whoever only wants to know a format loads no decoder.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from mmap import mmap
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import boxes, chunks, gif, markers, tiff, webp
from dafre_fast.pixels.decoders.signatures import (
    Signature,
    begins_with,
    has_brand,
    is_bmp,
    is_riff,
)

if TYPE_CHECKING:
    from dafre_fast.pixels.header import Header
    from dafre_fast.pixels.plan import ImagePlan
    from dafre_fast.pixels.rasters import Decoded, Pictures


class Decoder(Protocol):
    """A module that decodes files of some formats to finished outputs."""

    def read_header(self, data: bytes, format: Format) -> "Header":
        """Return what has to be known before decoding, with the module's name as `decoder`.

        Raises Refusal: CORRUPT_HEADER, or UNSUPPORTED_FORMAT to leave the file to the next decoder.
        """

    def decode(self, data: bytes, header: "Header", plan: "ImagePlan") -> "Pictures":
        """Return all outputs of the plan, sRGB uint8 (height, width, 3 or 4), stored orientation.

        Raises Refusal if the file is damaged, MemoryError if memory is short.
        """


class FastLane(Protocol):
    """A module that decodes plain files of one format faster than its decoder does."""

    def read_header(self, data: bytes) -> "Header":
        """Return the header of any file of the format. Raises Refusal as a decoder does."""

    def fits(self, header: "Header", plan: "ImagePlan") -> bool:
        """Return True if the lane reads such a file, and memory is enough."""

    def decode(self, data: bytes, header: "Header", plan: "ImagePlan") -> "Decoded":
        """Return what the outputs are resized from.

        Raises Refusal at the least doubt about the file: its decoder reads it then.
        """


def _none(_data: bytes | mmap) -> None:
    return None


class Row(NamedTuple):
    """One format: how its files are recognised, decoded, and checked for flaws."""

    format: Format
    signature: Signature
    """Recognises a file by its first `SNIFF_BYTES`."""
    decoders: tuple[str, ...]
    """Modules of this package that are `Decoder`s, the best first; another one is asked where one
    cannot read a file."""
    fast_lane: str = ""
    """A module of this package that is a `FastLane`, and reads the headers; empty for none."""
    flaw: Callable[[bytes | mmap], Refusal | None] = _none
    """Return what is wrong with the container, None if nothing is: TRUNCATED if the file ends
    before it does, else CORRUPT. Nothing is decoded, and what stands behind the end does not count.
    It is a doubt, no verdict: the pixels may all be there."""


def _bmp_flaw(data: bytes | mmap) -> Refusal | None:
    said = int.from_bytes(data[2:6], "little")
    if said > len(data):
        return Refusal(Reason.TRUNCATED, f"{len(data):,} bytes of {said:,}")
    return None


_ROWS = (
    Row(
        Format.JPEG,
        begins_with(b"\xff\xd8\xff"),
        decoders=("vips",),
        fast_lane="jpeg",
        flaw=markers.flaw,
    ),
    Row(
        Format.PNG,
        begins_with(b"\x89PNG\r\n\x1a\n"),
        decoders=("vips",),
        fast_lane="png",
        flaw=chunks.flaw,
    ),
    Row(
        Format.GIF,
        begins_with(b"GIF87a", b"GIF89a"),
        decoders=("vips",),
        flaw=gif.flaw,
    ),
    Row(
        Format.WEBP,
        is_riff(b"WEBP"),
        decoders=("vips",),
        flaw=webp.flaw,
    ),
    Row(
        Format.TIFF,
        begins_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        decoders=("pillow", "vips", "pillow_deep"),
        flaw=tiff.flaw,
    ),
    Row(
        Format.AVIF,
        has_brand(b"avif", b"avis"),
        decoders=("pillow", "vips", "pillow_deep"),
        flaw=boxes.flaw,
    ),
    Row(
        Format.HEIC,
        has_brand(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        decoders=("heif",),
        flaw=boxes.flaw,
    ),
    Row(
        Format.BMP,
        is_bmp,
        decoders=("pillow",),
        flaw=_bmp_flaw,
    ),
)
"""The first row whose signature fits counts: an AVIF may have a brand of HEIC too."""

ROWS = {row.format: row for row in _ROWS}


@cache
def decoder(name: str) -> Decoder:
    """Return the decoder of this name; it is imported when first asked for."""
    return cast("Decoder", import_module(f"{__package__}.{name}"))


@cache
def fast_lane(name: str) -> FastLane:
    """Return the fast lane of this name; it is imported when first asked for."""
    return cast("FastLane", import_module(f"{__package__}.{name}"))
