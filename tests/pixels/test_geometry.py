import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box
from dafre_fast.pixels.geometry import (
    LARGEST_JPEG_SIDE,
    Rect,
    Size,
    check_size,
    face_rect,
    face_size,
    full_size,
    oriented,
    stored_rect,
)
from tests.pixels.pictures import EXIF_SIDES, result_or_reason, upright

side = st.integers(1, 65_535)
sizes = st.builds(Size, side, side)
shares = st.floats(-2, 3)
margins = st.floats(0, 10)
orientations = pytest.mark.parametrize("orientation", EXIF_SIDES)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param((1600, 1200), (341, 256), id="landscape"),
        pytest.param((1200, 1600), (256, 341), id="portrait"),
        pytest.param((700, 700), (256, 256), id="square"),
        pytest.param((256, 300), (256, 300), id="as it is"),
        pytest.param((40, 20), (512, 256), id="enlarged"),
        pytest.param((1200, 850), (361, 256), id="850, which floats make 255"),
    ],
)
def test_full_size_has_the_short_side_wanted(size, expected):
    assert full_size(Size(*size), 256) == expected


@given(sizes, st.integers(1, 65_500))
def test_short_side_is_exact_and_long_side_is_rounded_down(size, short):
    found = full_size(size, short)
    assert min(found) == short
    assert max(found) == max(size) * short // min(size)


@given(sizes, st.integers(1, 65_500))
def test_full_size_lies_as_the_original_lies(size, short):
    found = full_size(size, short)
    assert found.width >= found.height or size.width < size.height
    assert found.height >= found.width or size.height < size.width


@orientations
def test_sides_swap_where_the_stored_rows_run_upwards(orientation):
    rows_are_columns = EXIF_SIDES[orientation][0] in ("left", "right")
    assert oriented(Size(3, 2), orientation) == ((2, 3) if rows_are_columns else (3, 2))


@pytest.mark.parametrize(
    ("size", "max_pixels"),
    [
        pytest.param((LARGEST_JPEG_SIDE, 1), 10**9, id="longest side of a JPEG"),
        pytest.param((1, LARGEST_JPEG_SIDE), 10**9, id="highest side of a JPEG"),
        pytest.param((30, 20), 600, id="as many pixels as allowed"),
    ],
)
def test_largest_size_allowed_passes(size, max_pixels):
    check_size(Size(*size), max_pixels)


@pytest.mark.parametrize(
    ("size", "max_pixels"),
    [
        pytest.param((LARGEST_JPEG_SIDE + 1, 1), 10**9, id="too wide for a JPEG"),
        pytest.param((1, LARGEST_JPEG_SIDE + 1), 10**9, id="too high for a JPEG"),
        pytest.param((30, 20), 599, id="a pixel too many"),
    ],
)
def test_size_beyond_what_is_allowed_is_refused(size, max_pixels):
    with pytest.raises(Refusal) as refused:
        check_size(Size(*size), max_pixels)
    assert refused.value.reason is Reason.OUTPUT_TOO_LARGE


@pytest.mark.parametrize(
    ("box", "margin", "expected"),
    [
        pytest.param((0, 0, 1, 1), 0, (0, 0, 200, 100), id="whole picture"),
        pytest.param((0.25, 0.1, 0.75, 0.6), 0, (50, 10, 150, 60), id="whole pixels"),
        pytest.param((0.252, 0.104, 0.748, 0.596), 0, (50, 10, 150, 60), id="to the nearest"),
        pytest.param((0.2525, 0.105, 0.7475, 0.595), 0, (51, 11, 150, 60), id="half goes up"),
        pytest.param((0.25, 0.1, 0.75, 0.6), 0.1, (40, 5, 160, 65), id="margin on each side"),
        pytest.param((0.4, 0.4, 0.6, 0.6), 10, (0, 0, 200, 100), id="margin is clipped"),
        pytest.param((-0.5, 0.1, 0.5, 1.5), 0, (0, 10, 100, 100), id="edges are clipped"),
        pytest.param((0.25, 0.1, 0.255, 0.11), 0, (50, 10, 51, 11), id="one pixel"),
    ],
)
def test_face_rect_is_the_box_in_whole_pixels(box, margin, expected):
    assert face_rect(Box(*box), Size(200, 100), margin) == expected


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        pytest.param((math.nan, 0.1, 0.5, 0.5), Reason.BAD_BOX, id="NaN"),
        pytest.param((0.1, 0.1, math.inf, 0.5), Reason.BAD_BOX, id="infinite"),
        pytest.param((0.1, -math.inf, 0.5, 0.5), Reason.BAD_BOX, id="minus infinite"),
        pytest.param((0.5, 0.1, 0.4, 0.5), Reason.BAD_BOX, id="right before left"),
        pytest.param((0.1, 0.5, 0.5, 0.4), Reason.BAD_BOX, id="bottom above top"),
        pytest.param((-0.5, 0.1, 0.0, 0.5), Reason.BAD_BOX, id="left of the picture"),
        pytest.param((1.0, 0.1, 1.5, 0.5), Reason.BAD_BOX, id="right of the picture"),
        pytest.param((0.1, -0.5, 0.5, 0.0), Reason.BAD_BOX, id="above the picture"),
        pytest.param((0.1, 1.0, 0.5, 1.5), Reason.BAD_BOX, id="below the picture"),
        pytest.param((0.5, 0.1, 0.5, 0.5), Reason.EMPTY_BOX, id="no width"),
        pytest.param((0.1, 0.5, 0.5, 0.5), Reason.EMPTY_BOX, id="no height"),
        pytest.param((0.251, 0.1, 0.252, 0.5), Reason.EMPTY_BOX, id="rounded away"),
        pytest.param((0.999, 0.1, 1.0, 0.5), Reason.EMPTY_BOX, id="rounded to the edge"),
    ],
)
def test_box_that_marks_no_region_is_refused(box, reason):
    with pytest.raises(Refusal) as refused:
        face_rect(Box(*box), Size(200, 100), 0.0)
    assert refused.value.reason is reason


@given(st.builds(Box, shares, shares, shares, shares), sizes, margins)
def test_face_rect_lies_inside_the_picture_or_is_refused(box, size, margin):
    found = result_or_reason(face_rect, box, size, margin)
    if isinstance(found, Reason):
        assert found in {Reason.BAD_BOX, Reason.EMPTY_BOX}
    else:
        assert 0 <= found.left < found.right <= size.width
        assert 0 <= found.top < found.bottom <= size.height


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((0.2, 0.2, 1e308, 0.5), id="width beyond floats"),
        pytest.param((-1e308, 0.2, 1e308, 0.5), id="margin beyond floats"),
    ],
)
def test_face_rect_of_a_finite_but_enormous_box_is_clipped(box):
    assert face_rect(Box(*box), Size(200, 100), 0.0)[1:] == (20, 200, 50)


@given(sizes, margins)
def test_face_rect_of_the_whole_picture_is_the_whole_picture(size, margin):
    assert face_rect(Box(0, 0, 1, 1), size, margin) == (0, 0, *size)


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        pytest.param(None, (90, 60), id="no limit"),
        pytest.param(61, (90, 60), id="limit above"),
        pytest.param(60, (90, 60), id="limit met"),
        pytest.param(59, (88, 59), id="limit below"),
    ],
)
def test_face_size_is_limited_by_its_short_side(short, expected):
    assert face_size(Size(90, 60), short) == expected


@given(sizes, st.none() | st.integers(1, 65_535))
def test_face_size_never_enlarges(size, short):
    found = face_size(size, short)
    assert 1 <= found.width <= size.width
    assert 1 <= found.height <= size.height


@st.composite
def regions(draw):
    """Sides of a seen picture and a region in it."""
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    right, bottom = draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return Size(width, height), Rect(left, top, right, bottom)


@orientations
@given(regions())
def test_stored_rect_holds_the_pixels_that_are_seen_in_the_rect(orientation, region):
    seen_size, rect = region
    size = oriented(seen_size, orientation)
    stored = np.arange(size.width * size.height).reshape(size.height, size.width)
    seen = upright(stored, orientation)[rect.top : rect.bottom, rect.left : rect.right]
    left, top, right, bottom = stored_rect(rect, size, orientation)
    assert np.array_equal(seen, upright(stored[top:bottom, left:right], orientation))
