"""Plan how to make the outputs of one original, from its header and the recipe. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Bounds, HeadBox, Output
from dafre_fast.pixels.framing import LONG_SIDE, framed_size
from dafre_fast.pixels.geometry import (
    Rect,
    Size,
    check_size,
    face_rect,
    face_size,
    full_size,
    long_size,
    oriented,
    stored_rect,
)
from dafre_fast.pixels.header import Header, check_header

PICTURE = "picture"
"""The name of the output of `plan_picture`."""

WHOLE = 8
"""The scale of a picture that is decoded at its stored size, in eighths."""

LARGEST_WHOLE = 64_000_000
"""The most pixels of a picture that is held in memory; larger ones are streamed by libvips."""

_FAST_SCALES = (1, 2, 4)
"""Scales, in eighths, for which libjpeg-turbo has vector code; others are slower than decoding the
whole picture."""

_ROOM, _EXACT_ROOM = 1.5, 2.0
"""The least factor by which a JPEG that is shrunk while it is decoded exceeds its output. Compared
with resizing from the stored size: 49 dB at 1.5, 46 at 1.25, 53 at 2 (mean of 62 pictures)."""


_ROOM_OF_NETWORK = 0.9
"""The same for the input of a network: as many heads are found as at 1.5."""


class OutputPlan(Struct, frozen=True):
    """The steps to make one output: decode the stored picture at `eighths` / 8 of its size, cut out
    `rect`, and resize that to `size` (width, height). Both refer to the picture as it is stored,
    before it is turned upright.
    """

    name: str
    size: Size
    rect: Rect | None = None
    """The region to cut out, in pixels of the stored picture; None for all of it."""
    eighths: int = WHOLE
    exact: bool = False
    """Take no shortcut besides `eighths`."""


class ImagePlan(Struct, frozen=True):
    """The steps to make the outputs of one original; `refused` is the reason why some that were
    wanted cannot be made.
    """

    outputs: tuple[OutputPlan, ...]
    refused: Refusal | None = None

    @property
    def has_crops(self) -> bool:
        """True if an output is cut out of the picture."""
        return any(output.rect for output in self.outputs)


def plan_image(
    header: Header, outputs: Sequence[Output], bounds: Bounds, box: Box | None
) -> ImagePlan:
    """Plan these outputs; those that need a head box are left out if there is none.

    A bad box affects only the outputs that need it. Raises Refusal if nothing can be made, or a
    whole picture would be too large.
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


def plan_picture(header: Header, bounds: Bounds, long_side: int) -> ImagePlan:
    """Plan the whole picture as output `PICTURE`, for a network that takes `long_side` pixels.

    It keeps the size that it is cheapest to decode to: about `long_side` or more, unless the
    original has less, but less than twice that. Raises Refusal as `plan_image` does.
    """
    check_header(header, bounds)
    stored, eighths = header.stored, WHOLE
    if header.format is Format.JPEG:
        eighths = shrink_on_load(max(stored), long_side, _ROOM_OF_NETWORK)
        stored = Size(*(-(-side * eighths // WHOLE) for side in stored))
    if max(stored) >= 2 * long_side:
        stored = Size(*(max(1, round(side * long_side / max(stored))) for side in stored))
    return ImagePlan((OutputPlan(PICTURE, stored, eighths=eighths),))


def _plan_whole(header: Header, output: Output, bounds: Bounds, *, beside_crop: bool) -> OutputPlan:
    target = _target(header.size, output, bounds)
    eighths = WHOLE
    # A crop needs every pixel, so that one decode should serve both, unless this is to be exact.
    reduced = output.exact or not beside_crop or header.both_at_once
    if header.format is Format.JPEG and reduced:
        room = _EXACT_ROOM if output.exact else _ROOM
        exact_side = max if output.resize_mode in LONG_SIDE else min
        eighths = shrink_on_load(exact_side(header.stored), exact_side(target), room)
    size = oriented(target, header.orientation)
    return OutputPlan(output.name, size, eighths=eighths, exact=output.exact)


def _plan_crop(
    header: Header, output: Output, region: HeadBox, bounds: Bounds, box: Box
) -> OutputPlan:
    rect = face_rect(box, header.size, region.margin)
    size = oriented(_target(rect.size, output, bounds), header.orientation)
    return OutputPlan(output.name, size, stored_rect(rect, header.stored, header.orientation))


def _target(size: Size, output: Output, bounds: Bounds) -> Size:
    """Return the size to resize to, before the middle is cut out or a border is added."""
    rule = output.size
    if rule.pixels is None or rule.at_most:
        target = face_size(size, rule.pixels)
    elif output.resize_mode in LONG_SIDE:
        target = long_size(size, rule.pixels)
    else:
        target = full_size(size, rule.pixels)
    check_size(framed_size(target, output.resize_mode), bounds.max_pixels, output.extension)
    check_size(target, bounds.max_pixels)
    return target


def shrink_on_load(side: int, target: int, room: float) -> int:
    """Return the scale at which a JPEG is decoded, in eighths: the smallest that leaves `room`
    times the target. `side` and `target` are the same side of both, in pixels.
    """
    for eighths in _FAST_SCALES:
        if side * eighths // WHOLE >= room * target:
            return eighths
    return WHOLE
