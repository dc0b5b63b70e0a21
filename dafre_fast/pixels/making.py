"""Bytes of an original to encoded outputs: what the workers do for each image."""

import pyvips
from msgspec import Struct

from dafre_fast.model.errors import Refusal
from dafre_fast.model.records import Box, Image
from dafre_fast.model.settings import Encoding, Recipe
from dafre_fast.pixels import jpeg, vips
from dafre_fast.pixels.decoding import Original, read_header
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.planning import WHOLE, FacePlan, FullPlan, plan_image


class Rendered(Struct, frozen=True):
    """The outputs of one original; `refused` says why a face that was wanted is missing."""

    header: Header
    full: Image | None
    face: Image | None
    refused: Refusal | None


def make_images(
    data: bytes, recipe: Recipe, *, full: bool = True, box: Box | None = None
) -> Rendered:
    """Make the full image, the crop of `box` (shares of the oriented picture), or both, as JPEG.

    Raises Refusal with the reason where the original cannot be read.
    """
    header = read_header(data)
    plan = plan_image(header, recipe, full, box)
    original = Original(data, header, whole=plan.face is not None)
    return Rendered(
        header,
        _make_full(original, plan.full, recipe.encoding) if plan.full else None,
        _make_face(original, plan.face, recipe.encoding) if plan.face else None,
        plan.refused,
    )


def _make_full(original: Original, plan: FullPlan, encoding: Encoding) -> Image:
    return _finish(original, vips.resize(original.at(plan.eighths), plan.size), encoding)


def _make_face(original: Original, plan: FacePlan, encoding: Encoding) -> Image:
    region = vips.cut(original.at(WHOLE), plan.rect)
    return _finish(original, vips.resize(region, plan.size), encoding)


def _finish(original: Original, image: pyvips.Image, encoding: Encoding) -> Image:
    upright = vips.render(image, original.header.orientation)
    if jpeg.turbo() is None:
        data = vips.encode(upright, encoding.quality, encoding.subsampling)
    else:
        data = jpeg.encode(vips.to_pixels(upright), encoding.quality, encoding.subsampling)
    return Image(data, upright.width, upright.height)
