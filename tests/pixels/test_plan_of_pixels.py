import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Bounds
from dafre_fast.pixels import rasters
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.header import Header
from dafre_fast.pixels.plan import plan_picture, shrink_on_load
from tests.pixels.pictures import parts_of, plan_of, recipe, upright

sides = st.integers(1, 30_000)
rooms = st.sampled_from([1.5, 2.0])
BOX = Box(0.25, 0.25, 0.5, 0.75)
NO_BOX = Box(0.5, 0.5, 0.5, 0.9)
LARGE = Size(4000, 3000)


def planned(
    stored=LARGE,
    format=Format.JPEG,
    orientation=1,
    *,
    both_at_once=False,
    full=True,
    box=None,
    **settings,
):
    """The plan by the names of outputs, and why one is missing."""
    header = Header(
        format=format, stored=stored, orientation=orientation, both_at_once=both_at_once
    )
    plan = plan_of(header, recipe(**settings), full=full, box=box)
    return parts_of(plan), plan.refused


def full_of(*args, **settings):
    return planned(*args, **settings)[0]["full"]


def face_of(*args, **settings):
    return planned(*args, **settings)[0]["face"]


# Shrinking a JPEG while it is decoded


@given(sides, sides, rooms)
def test_shrunk_jpeg_leaves_the_room_wanted(side, target, room):
    eighths = shrink_on_load(side, target, room)
    assert eighths == 8 or math.ceil(side * eighths / 8) >= room * target


@given(sides, sides, rooms)
def test_jpeg_is_shrunk_by_the_most_that_leaves_the_room(side, target, room):
    eighths = shrink_on_load(side, target, room)
    assert eighths in {1, 2, 4, 8}
    assert eighths == 1 or side * (eighths // 2) // 8 < room * target


@pytest.mark.parametrize(
    ("short", "eighths", "exact"),
    [(767, 8, 8), (768, 4, 8), (1024, 4, 4), (1536, 2, 4), (2048, 2, 2), (3072, 1, 2)],
)
def test_exact_full_image_is_decoded_larger(short, eighths, exact):
    stored = Size(short, short + 100)
    assert full_of(stored).eighths == eighths
    assert full_of(stored, exact=True).eighths == exact


@pytest.mark.parametrize("format", [format for format in Format if format is not Format.JPEG])
@pytest.mark.parametrize("exact", [False, True])
def test_no_other_format_is_shrunk_while_it_is_decoded(format, exact):
    assert full_of(format=format, exact=exact).eighths == 8


def test_one_decode_serves_both_outputs():
    assert full_of(box=BOX).eighths == 8


def test_full_image_does_not_depend_on_the_crop_where_one_decode_gives_both():
    assert full_of(box=BOX, both_at_once=True) == full_of()


def test_exact_full_image_does_not_depend_on_the_crop():
    assert full_of(box=BOX, exact=True) == full_of(exact=True)


def test_box_of_no_pixel_leaves_the_plan_of_a_full_image_alone():
    parts, refused = planned(box=NO_BOX)
    assert parts == {"full": full_of()}
    assert refused.reason is Reason.EMPTY_BOX


def test_nothing_is_planned_that_is_not_wanted():
    assert planned(full=False, box=BOX)[0].keys() == {"face"}
    assert planned()[0].keys() == {"full"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_and_region_are_those_of_the_stored_picture(orientation):
    stored = LARGE if orientation < 5 else Size(*LARGE[::-1])
    parts, _ = planned(stored, orientation=orientation, box=Box(0, 0, 0.5, 0.25))
    swapped = slice(None, None, 1 if orientation < 5 else -1)
    assert parts["full"].size == (341, 256)[swapped]
    assert parts["face"].size == parts["face"].rect.size == (2000, 750)[swapped]


def test_region_lies_where_the_box_is():
    assert face_of(box=BOX).rect == Rect(1000, 750, 2000, 2250)


def test_crop_that_no_jpeg_can_hold_is_refused_alone():
    strip = Size(2, 70_000)
    parts, refused = planned(strip, Format.PNG, size=1, box=Box(0, 0, 1, 1))
    assert {name: part.size for name, part in parts.items()} == {"full": (1, 35_000)}
    assert refused.reason is Reason.OUTPUT_TOO_LARGE


def test_full_image_that_no_jpeg_can_hold_is_refused():
    with pytest.raises(Refusal) as refused:
        planned(Size(2, 70_000), Format.PNG, size=2)
    assert refused.value.reason is Reason.OUTPUT_TOO_LARGE


# Pixels on their way


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [3, 4])
def test_pixels_are_turned_as_people_are_to_see_them(orientation, channels):
    stored = np.arange(5 * 7 * channels, dtype=np.uint8).reshape(5, 7, channels)
    turned = rasters.upright(stored, orientation)
    np.testing.assert_array_equal(turned, upright(stored, orientation))


@given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_cut_holds_the_pixels_of_the_region(width, height, data):
    left, right = sorted(data.draw(st.tuples(*[st.integers(0, width)] * 2)))
    top, bottom = sorted(data.draw(st.tuples(*[st.integers(0, height)] * 2)))
    y, x = np.mgrid[0:height, 0:width].astype(np.uint8)
    region = rasters.cut(np.dstack([x, y, x]), Rect(left, top, right, bottom))
    assert region.shape == (bottom - top, right - left, 3)
    assert (region[..., 0] == np.arange(left, right)).all()
    assert (region[..., 1] == np.arange(top, bottom)[:, None]).all()


# Whole pictures for a network


@given(sides, sides, st.sampled_from([Format.JPEG, Format.PNG]), st.integers(32, 3000))
def test_picture_for_a_network_has_about_its_side_or_more_but_less_than_twice_that(
    width, height, format, side
):
    header = Header(format=format, stored=Size(width, height))
    (plan,) = plan_picture(header, Bounds(max_pixels=10**9), side).outputs
    assert min(max(width, height), 0.9 * side) <= max(plan.size) < 2 * side


@pytest.mark.parametrize(("side", "eighths"), [(3000, 8), (2001, 4), (1111, 2), (555, 1), (100, 1)])
def test_jpeg_for_a_network_is_shrunk_while_it_is_decoded(side, eighths):
    header = Header(format=Format.JPEG, stored=LARGE)
    assert plan_picture(header, Bounds(), side).outputs[0].eighths == eighths
