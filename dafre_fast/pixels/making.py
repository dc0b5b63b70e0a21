"""Make the encoded outputs of an original from its bytes."""

from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Box, Image
from dafre_fast.core.settings.images import Bounds, Encoding, Recipe
from dafre_fast.pixels import damage, mending, salvage
from dafre_fast.pixels.colour import Verdict, judge
from dafre_fast.pixels.decoders.choose import (
    ANOTHER_MAY_READ,
    decode_fast,
    readers,
)
from dafre_fast.pixels.encoders import encode
from dafre_fast.pixels.framing import framed
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header, check_shape
from dafre_fast.pixels.plan import PICTURE, ImagePlan, plan_image, plan_picture
from dafre_fast.pixels.rasters import Pictures, Pixels, upright
from dafre_fast.pixels.sniff import sniff

P = TypeVar("P", Pixels, Image)
"""Decoded pixels, or an encoded image."""


class Outputs(Struct, Generic[P], frozen=True):
    """The outputs of one original, by name. `refused` is the reason why some that were wanted are
    missing; `notes` and `detail` describe those that were made.
    """

    header: Header
    pictures: Mapping[str, P]
    refused: Refusal | None
    notes: tuple[Note, ...] = ()
    detail: str = ""

    def __getitem__(self, name: str) -> P:
        return self.pictures[name]


Shown = Outputs[Pixels]
"""Outputs before they are encoded, turned upright."""
Rendered = Outputs[Image]


def make_images(
    data: bytes, recipe: Recipe, names: Collection[str] | None = None, *, box: Box | None = None
) -> Rendered:
    """Make the outputs with these names, encoded, or all of the recipe if `names` is None.

    `box` is the head box, as shares of the upright picture. Without it, outputs that show the head
    are not made. Raises Refusal with the reason if the original cannot be read.
    """
    shown = show_images(data, recipe, names, box=box)
    images = {
        output.name: _encode(shown[output.name], output.encoding)
        for output in recipe.outputs
        if output.name in shown.pictures
    }
    return Rendered(shown.header, images, shown.refused, shown.notes, shown.detail)


def show_images(
    data: bytes, recipe: Recipe, names: Collection[str] | None = None, *, box: Box | None = None
) -> Shown:
    """Make the outputs as `make_images` does, without encoding them.

    Returns pixels (height, width, 3 or 4), uint8, sRGB. Raises Refusal as `make_images` does.
    """
    outputs = [output for output in recipe.outputs if names is None or output.name in names]

    def plan(header: Header) -> ImagePlan:
        planned = plan_image(header, outputs, recipe.bounds, box)
        check_shape(header, recipe.shapes)
        return planned

    shown = _planned(data, recipe.bounds, plan)
    modes = {output.name: output.resize_mode for output in outputs}
    pictures = {name: framed(pixels, modes[name]) for name, pixels in shown.pictures.items()}
    return replace(shown, pictures=pictures)


def show_picture(data: bytes, bounds: Bounds, long_side: int) -> tuple[Size, Pixels]:
    """Return the size of the upright picture in pixels, and the whole of it on white, for a network
    that takes `long_side` pixels (`plan_picture`): (height, width, 3 or 4), uint8, sRGB.

    Raises Refusal as `make_images` does.
    """
    shown = _planned(data, bounds, lambda header: plan_picture(header, bounds, long_side))
    return shown.header.size, shown[PICTURE]


def _planned(data: bytes, bounds: Bounds, plan: Callable[[Header], ImagePlan]) -> Shown:
    """Make what is planned for the header of a file."""
    refused = Refusal(Reason.NOT_AN_IMAGE)
    format = sniff(data)
    for read_header in readers(format):
        try:
            header, notes = _with_profile_that_converts(read_header(data))
            return _show(data, header, notes, plan(header), bounds)
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
    data: bytes, header: Header, notes: tuple[Note, ...], plan: ImagePlan, bounds: Bounds
) -> Shown:
    refused = plan.refused
    try:
        made, detail = _decoded(data, header, plan)
        notes = (*notes, Note.MINOR_DAMAGE) if detail else notes
    except Refusal as refusal:
        if bounds.truncated == "refuse" or not damage.breaks_off(data, header.format):
            raise
        made, detail, refused = salvage.keep(data, header, plan, refusal)
        notes = (*notes, Note.TRUNCATED)
    shown = {name: upright(stored, header.orientation) for name, stored in made.items()}
    return Shown(header, shown, refused, notes, detail)


def _decoded(data: bytes, header: Header, plan: ImagePlan) -> tuple[Pictures, str]:
    """Return the outputs, and in words what is wrong with the file that costs no pixel."""
    made = decode_fast(data, header, plan)
    if made is not None:  # a fast lane decodes nothing that has a flaw
        return made, ""
    made, detail = mending.decoded(data, header, plan)
    return made, detail or damage.flaw_of(data, header.format)


def _encode(pixels: Pixels, encoding: Encoding) -> Image:
    height, width = pixels.shape[:2]
    return Image(encode(pixels, encoding), width, height)
