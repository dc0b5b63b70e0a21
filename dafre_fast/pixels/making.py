"""Bytes of an original to encoded outputs: what the workers do for each image."""

from msgspec import Struct

from dafre_fast.model.errors import Refusal
from dafre_fast.model.reason import Note
from dafre_fast.model.records import Box, Image
from dafre_fast.model.settings import Encoding, Recipe
from dafre_fast.pixels import jpeg
from dafre_fast.pixels.decoding import pictures, read_header
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.pictures import Pixels, upright
from dafre_fast.pixels.planning import plan_image


class Rendered(Struct, frozen=True):
    """The outputs of one original; `refused` says why a face that was wanted is missing, `notes`
    what is to be known of those that were made.
    """

    header: Header
    full: Image | None
    face: Image | None
    refused: Refusal | None
    notes: tuple[Note, ...] = ()


def make_images(
    data: bytes, recipe: Recipe, *, full: bool = True, box: Box | None = None
) -> Rendered:
    """Make the full image, the crop of `box` (shares of the oriented picture), or both, as JPEG.

    Raises Refusal with the reason where the original cannot be read.
    """
    header = read_header(data)
    plan = plan_image(header, recipe, full, box)
    full_pixels, face_pixels = pictures(data, header, plan)
    return Rendered(
        header,
        _encode(full_pixels, header, recipe.encoding),
        _encode(face_pixels, header, recipe.encoding),
        plan.refused,
    )


def _encode(pixels: Pixels | None, header: Header, encoding: Encoding) -> Image | None:
    if pixels is None:
        return None
    pixels = upright(pixels, header.orientation)
    height, width = pixels.shape[:2]
    return Image(jpeg.encode(pixels, encoding.quality, encoding.subsampling), width, height)
