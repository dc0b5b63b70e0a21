"""From a header and the settings to what is to be done with one picture. No pixel is touched."""

from collections.abc import Sequence

from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Bounds, HeadBox, Output, ShortSide
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


class OutputPlan(Struct, frozen=True):
    """How to make one output: decode the stored picture at `eighths` / 8, cut `rect` out of it and
    resize that to `size`. Nothing is turned yet.
    """

    name: str
    size: Size
    rect: Rect | None = None
    """In the stored picture; None for all of it."""
    eighths: int = WHOLE
    exact: bool = False
    """No other shortcut on the way."""


class ImagePlan(Struct, frozen=True):
    """How to make the outputs of one original; `refused` says why some that were wanted cannot be
    made.
    """

    outputs: tuple[OutputPlan, ...]
    refused: Refusal | None = None

    @property
    def has_crops(self) -> bool:
        return any(output.rect for output in self.outputs)


def plan_image(
    header: Header, outputs: Sequence[Output], bounds: Bounds, box: Box | None
) -> ImagePlan:
    """Plan these outputs; those that need a head box are left out where there is none.

    Raises Refusal where nothing can be made; a bad box costs the outputs that need it, no others.
    """
    check_header(header, bounds)
    crops, refused = dict[str, OutputPlan](), None
    for output in outputs:
        try:
            if box and isinstance(output.region, HeadBox):
                crops[output.name] = _plan_crop(header, output, output.region, bounds, box)
        except Refusal as refusal:
            refused = refused or refusal
    planned = (
        crops.get(output.name)
        if output.needs_box
        else _plan_whole(header, output, bounds, beside_crop=bool(crops))
        for output in outputs
    )
    return ImagePlan(tuple(plan for plan in planned if plan), refused)


def _plan_whole(header: Header, output: Output, bounds: Bounds, *, beside_crop: bool) -> OutputPlan:
    target = _target(header.size, output.size, bounds)
    eighths = WHOLE
    # A crop needs every pixel: one decode serves both, except where this would show.
    if header.format is Format.JPEG and (output.exact or not beside_crop):
        room = _EXACT_ROOM if output.exact else _ROOM
        eighths = shrink_on_load(min(header.stored), min(target), room)
    size = oriented(target, header.orientation)
    return OutputPlan(output.name, size, eighths=eighths, exact=output.exact)


def _plan_crop(
    header: Header, output: Output, region: HeadBox, bounds: Bounds, box: Box
) -> OutputPlan:
    rect = face_rect(box, header.size, region.margin)
    size = oriented(_target(rect.size, output.size, bounds), header.orientation)
    return OutputPlan(output.name, size, stored_rect(rect, header.stored, header.orientation))


def _target(size: Size, rule: ShortSide, bounds: Bounds) -> Size:
    if rule.at_most or rule.pixels is None:
        target = face_size(size, rule.pixels)
    else:
        target = full_size(size, rule.pixels)
    check_size(target, bounds.max_pixels)
    return target


def shrink_on_load(side: int, target: int, room: float) -> int:
    """Eighths at which a JPEG is decoded: the fewest that leave `room` times the target."""
    for eighths in _FAST_SCALES:
        if side * eighths // 8 >= room * target:
            return eighths
    return WHOLE
