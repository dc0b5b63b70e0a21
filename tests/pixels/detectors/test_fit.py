"""A picture is placed in the input of a network, and boxes are brought back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.pixels.detectors.families.choose import FAMILIES
from dafre_fast.pixels.detectors.fit import place
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
