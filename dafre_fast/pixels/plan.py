"""From a header and the settings to what is to be done with one picture. No pixel is touched."""

from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Recipe
from dafre_fast.pixels.geometry import (
    Rect,
    Size,
    check_size,
    face_rect,
    face_size,
    full_size,
    oriented,
    stored_rect,
)
from dafre_fast.pixels.header import Header, check_header

WHOLE = 8
"""In eighths: a picture decoded at its stored size."""

LARGEST_WHOLE = 64_000_000
"""Pixels up to which a picture may be in memory as a whole; larger ones stream through libvips."""

_FAST_SCALES = (1, 2, 4)
"""Eighths for which libjpeg-turbo has vector code; others are slower than the whole picture."""

_ROOM, _EXACT_ROOM = 1.5, 2.0
"""A JPEG shrunk while it is decoded stays this many times the target. Against a resize from the
full size that leaves 49 dB and more at 1.5, 46 at 1.25, 53 at 2 (mean of 62 pictures)."""


class FullPlan(Struct, frozen=True):
    """Decode at `eighths` / 8, resize to `size` (stored, not turned); `exact`: no other shortcut
    on the way.
    """

    eighths: int
    size: Size
    exact: bool


class FacePlan(Struct, frozen=True):
    """Cut `rect` from the stored picture and resize it to `size` (not turned)."""

    rect: Rect
    size: Size


class ImagePlan(Struct, frozen=True):
    """What to make of one picture; `refused` says why there is no face where one was wanted."""

    full: FullPlan | None
    face: FacePlan | None
    refused: Refusal | None = None


def plan_image(header: Header, recipe: Recipe, full: bool, box: Box | None) -> ImagePlan:
    """Raises Refusal where nothing can be made; a bad box alone leaves the full image."""
    check_header(header, recipe.bounds)
    face, refused = None, None
    if box is not None:
        try:
            face = _plan_face(header, recipe, box)
        except Refusal as refusal:
            refused = refusal
    return ImagePlan(_plan_full(header, recipe, face) if full else None, face, refused)


def _plan_full(header: Header, recipe: Recipe, face: FacePlan | None) -> FullPlan:
    target = full_size(header.size, recipe.full.size)
    check_size(target, recipe.bounds.max_pixels)
    exact = recipe.full.exact
    eighths = WHOLE
    # The face needs every pixel: one decode serves both, except where this would show.
    if header.format is Format.JPEG and (exact or face is None):
        room = _EXACT_ROOM if exact else _ROOM
        eighths = shrink_on_load(min(header.stored), min(target), room)
    return FullPlan(eighths, oriented(target, header.orientation), exact)


def _plan_face(header: Header, recipe: Recipe, box: Box) -> FacePlan:
    rect = face_rect(box, header.size, recipe.face.face_margin)
    target = face_size(rect.size, recipe.face.face_size)
    check_size(target, recipe.bounds.max_pixels)
    return FacePlan(
        stored_rect(rect, header.stored, header.orientation),
        oriented(target, header.orientation),
    )


def shrink_on_load(side: int, target: int, room: float) -> int:
    """Eighths at which a JPEG is decoded: the fewest that leave `room` times the target."""
    for eighths in _FAST_SCALES:
        if side * eighths // 8 >= room * target:
            return eighths
    return WHOLE
