"""The fast lane for JPEG beside libvips: where it is taken, and that both see the same picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.records import Box
from dafre_fast.pixels.decoders import choose, jpeg, vips
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.geometry import Size
from tests.pixels.pictures import (
    encoded,
    opened,
    parts_of,
    plain,
    plan_of,
    recipe,
    result_or_reason,
    smooth,
    wide_profile,
)

pytestmark = pytest.mark.skipif(turbo() is None, reason="no libjpeg-turbo on this machine")

BOX = Box(0.2, 0.3, 0.7, 0.8)


def planned(data, *, box=BOX, **settings):
    header = read_header(data)
    return data, header, plan_of(header, recipe(**{"size": 64} | settings), box=box)


def takes_fast_lane(data, **settings):
    _, header, plan = planned(data, **settings)
    return jpeg.fits(header, plan)


def both(data, **settings):
    """Both outputs, whoever decodes them, and the same by libvips."""
    plan = planned(data, **settings)
    made = choose.decode(*plan), vips.decode(*plan)
    return zip(*(outputs.values() for outputs in made), strict=True)


def furthest(one, other):
    return np.abs(one[..., :3].astype(int) - other[..., :3]).max()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="baseline"),
        pytest.param({"progressive": True}, id="progressive"),
        pytest.param({"subsampling": "4:2:0"}, id="4:2:0"),
        pytest.param({"subsampling": "4:2:2"}, id="4:2:2"),
        pytest.param({"icc_profile": wide_profile()}, id="with a profile"),
    ],
)
def test_plain_file_is_decoded_by_the_fast_lane(options):
    data = encoded(smooth(640, 480), "JPEG", **options)
    assert takes_fast_lane(data)
    assert "full" in jpeg.decode(*planned(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(plain((1, 2, 3, 4), mode="CMYK"), "JPEG"), id="CMYK"),
        pytest.param(encoded(smooth(640, 480), "JPEG", keep_rgb=True), id="coded as RGB"),
    ],
)
def test_other_file_is_left_to_libvips(data):
    assert not takes_fast_lane(data)


def resized_header(data, width, height):
    """The same file, that says it is of another size."""
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + height.to_bytes(2) + width.to_bytes(2) + data[frame + 4 :]


def test_picture_too_large_for_memory_is_left_to_libvips():
    data = resized_header(encoded(smooth(64, 48), "JPEG"), 10_000, 10_000)
    assert not takes_fast_lane(data)
    assert takes_fast_lane(data, box=None)  # an eighth of it fits


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:2:0"}])
@pytest.mark.parametrize("size", [(640, 480), (301, 777), (70, 64)])
def test_outputs_are_close_to_those_of_libvips(size, options):
    data = encoded(smooth(*size), "JPEG", **options)
    for found, expected in both(data, face_size=20, exact=True):
        assert found.shape[:2] == expected.shape[:2]
        assert furthest(found, expected) <= 4


def test_grey_file_has_three_equal_channels():
    data = encoded(opened(encoded(smooth(300, 200))).convert("L"), "JPEG")
    assert takes_fast_lane(data)
    for found, expected in both(data):
        assert (found[..., 0] == found[..., 1]).all()
        assert (found[..., 1] == found[..., 2]).all()
        assert furthest(found, expected) <= 3


def test_wide_colours_are_converted_as_by_libvips():
    data = encoded(smooth(300, 200), "JPEG", icc_profile=wide_profile())
    for found, expected in both(data, exact=True):
        assert np.abs(found[..., :3].astype(int) - expected).mean() < 1


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 4, 8]))
def test_picture_of_any_size_is_decoded_at_any_scale(width, height, eighths):
    data = encoded(plain((90, 120, 150), (width, height)), "JPEG", subsampling="4:2:0")
    pixels = jpeg.read_pixels(data, Size(width, height), eighths)
    assert pixels.shape == (-(-height * eighths // 8), -(-width * eighths // 8), 3)
    assert np.abs(pixels.astype(int) - (90, 120, 150)).max() <= 3


@pytest.mark.parametrize("side", [1201, 1203, 1209, 1215])
def test_picture_is_not_shifted_where_an_eighth_ends_within_a_pixel(side):
    """A ramp, by the whole picture and by what is left of it at half or a quarter."""
    ramp = np.tile(np.linspace(0, 255, side)[None, :, None], (side, 1, 3)).astype(np.uint8)
    data = encoded(ramp, "JPEG")
    shrunk, whole = (
        choose.decode(*planned(data, size=64, box=box))["full"].astype(int) for box in (None, BOX)
    )
    assert abs((shrunk - whole)[:, 4:-4, :3].mean()) < 0.3


FILE = encoded(smooth(64, 48), "JPEG", quality=90, progressive=True)


@given(st.integers(2, len(FILE) - 1), st.integers(0, 255), st.sampled_from([None, BOX]))
def test_file_with_a_byte_changed_is_a_picture_or_refused(at, byte, box):
    changed = FILE[:at] + bytes([byte]) + FILE[at + 1 :]

    def made():
        plan = planned(changed, box=box, size=24, max_pixels=1_000_000)
        return choose.decode(*plan), plan

    outcome = result_or_reason(made)
    if isinstance(outcome, tuple):
        made, (_, _, plan) = outcome
        assert made["full"].shape[:2] == parts_of(plan)["full"].size[::-1]
