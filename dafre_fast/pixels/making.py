"""Bytes of an original to encoded outputs: what the workers do for each image."""

from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Box, Image
from dafre_fast.core.settings.images import Encoding, Recipe
from dafre_fast.pixels import damage, salvage
from dafre_fast.pixels.colour import Verdict, judge
from dafre_fast.pixels.decoders import jpeg
from dafre_fast.pixels.decoders.choose import ANOTHER_MAY_READ, decode, readers
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import ImagePlan, plan_image
from dafre_fast.pixels.rasters import Pictures, Pixels, upright
from dafre_fast.pixels.sniff import sniff

P = TypeVar("P", Pixels, Image)
"""A picture, or the file of one."""


class Outputs(Struct, Generic[P], frozen=True):
    """The outputs of one original; `refused` says why a face that was wanted is missing, `notes`
    and `detail` what is to be known of those that were made.
    """

    header: Header
    full: P | None
    face: P | None
    refused: Refusal | None
    notes: tuple[Note, ...] = ()
    detail: str = ""


Shown = Outputs[Pixels]
"""Before they are encoded, as people see them."""
Rendered = Outputs[Image]


def make_images(
    data: bytes, recipe: Recipe, *, full: bool = True, box: Box | None = None
) -> Rendered:
    """Make the full image, the crop of `box` (shares of the oriented picture), or both, as JPEG.

    Raises Refusal with the reason where the original cannot be read.
    """
    shown = show_images(data, recipe, full=full, box=box)
    return Rendered(
        shown.header,
        _encode(shown.full, recipe.encoding),
        _encode(shown.face, recipe.encoding),
        shown.refused,
        shown.notes,
        shown.detail,
    )


def show_images(data: bytes, recipe: Recipe, *, full: bool = True, box: Box | None = None) -> Shown:
    """What `make_images` encodes. Raises Refusal likewise."""
    refused = Refusal(Reason.NOT_AN_IMAGE)
    format = sniff(data)
    for read_header in readers(format):
        try:
            header, notes = _with_profile_that_converts(read_header(data))
            return _show(data, header, notes, plan_image(header, recipe, full, box), recipe)
        except Refusal as refusal:
            refused = refusal
            if refusal.reason not in ANOTHER_MAY_READ:
                break
    raise damage.named(data, format, refused)


def _with_profile_that_converts(header: Header) -> tuple[Header, tuple[Note, ...]]:
    if header.profile is None:
        return header, ()
    verdict = judge(header.profile, header.space)
    if verdict is Verdict.CONVERTS:
        return header, ()
    notes = (Note.PROFILE_IGNORED,) if verdict is Verdict.BROKEN else ()
    return replace(header, profile=None), notes


def _show(
    data: bytes, header: Header, notes: tuple[Note, ...], plan: ImagePlan, recipe: Recipe
) -> Shown:
    detail, refused = "", plan.refused
    try:
        made = decode(data, header, plan)
    except Refusal as refusal:
        if recipe.bounds.truncated == "refuse" or not damage.breaks_off(data, header.format):
            raise
        made, detail, refused = salvage.keep(data, header, plan, refusal)
        notes = (*notes, Note.TRUNCATED)
    return Shown(header, *_upright(made, header), refused, notes, detail)


def _upright(made: Pictures, header: Header) -> Pictures:
    full, face = (
        None if stored is None else upright(stored, header.orientation) for stored in made
    )
    return Pictures(full, face)


def _encode(pixels: Pixels | None, encoding: Encoding) -> Image | None:
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    return Image(jpeg.encode(pixels, encoding.quality, encoding.subsampling), width, height)
