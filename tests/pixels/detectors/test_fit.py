"""A picture is placed in the input of a network, and boxes are brought back."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.pixels.detectors.families.choose import FAMILIES
from dafre_fast.pixels.detectors.fit import blob, place
from dafre_fast.pixels.geometry import Size

lengths = st.integers(1, 5000)
families = st.sampled_from([*FAMILIES.values()])


@given(lengths, lengths, families, st.integers(32, 2000))
def test_a_picture_lies_within_the_input(width, height, family, side) -> None:
    placed = place(Size(width, height), family, side, None)
    assert placed.left + placed.picture.width <= placed.input.width
    assert placed.top + placed.picture.height <= placed.input.height
    assert max(placed.picture) == side


@given(lengths, lengths, families, st.integers(64, 2000))
def test_the_whole_picture_is_the_box_of_the_whole(width, height, family, side) -> None:
    placed = place(Size(width, height), family, side, Size(side, side))
    left, top = placed.left, placed.top
    box = (left, top, left + placed.picture.width, top + placed.picture.height)
    assert placed.shares(np.array([box], np.float32)).tolist() == [[0, 0, 1, 1]]


@given(lengths, lengths, st.integers(32, 2000))
def test_sides_of_an_open_letterbox_are_multiples_of_its_step(width, height, side) -> None:
    placed = place(Size(width, height), FAMILIES["yolo8"], side, None)
    assert placed.input.width % 32 == placed.input.height % 32 == 0


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_input_is_the_picture_less_the_mean_in_the_order_of_the_family(name, channels) -> None:
    family, size = FAMILIES[name], Size(40, 60)
    pixels = np.random.default_rng(1).integers(0, 256, (60, 40, channels), np.uint8)
    planes = blob(pixels, place(size, family, 64, Size(64, 64)), family)
    placed = place(size, family, 64, Size(64, 64))
    kept = cv2.resize(pixels, placed.picture, interpolation=cv2.INTER_LINEAR)[..., :3]
    kept = kept[..., ::-1] if family.order == "bgr" else kept
    whole = np.full((64, 64, 3), family.grey, np.float64)
    rows = slice(placed.top, placed.top + placed.picture.height)
    whole[rows, placed.left : placed.left + placed.picture.width] = kept
    expected = ((whole - family.mean) * family.scale).transpose(2, 0, 1)[None]
    assert planes.dtype == np.float32
    np.testing.assert_allclose(planes, expected, atol=1e-5)


@pytest.mark.parametrize("turned", [lambda pixels: pixels[::-1], lambda pixels: pixels[:, ::-1]])
def test_a_picture_that_is_turned_by_a_view_is_taken(turned) -> None:
    family, size = FAMILIES["yolo8"], Size(40, 60)
    pixels = turned(np.random.default_rng(1).integers(0, 256, (60, 40, 3), np.uint8))
    for side in (60, 128):
        placed = place(size, family, side, None)
        assert (blob(pixels, placed, family) == blob(pixels.copy(), placed, family)).all()
