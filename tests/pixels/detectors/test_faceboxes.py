"""The priors of FaceBoxes are those of its paper, whatever the size of the input."""

from itertools import product
from math import ceil

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.pixels.detectors.families.faceboxes import FAMILY
from dafre_fast.pixels.geometry import Size


def priors_of(size: Size) -> np.ndarray:
    """Return left, top, right, bottom of all priors, written as in the published code."""
    found = []
    for cell, sides in ((32, (32, 64, 128)), (64, (256,)), (128, (512,))):
        for row, column in product(range(ceil(size.height / cell)), range(ceil(size.width / cell))):
            for side in sides:
                offsets = {32: (0, 0.25, 0.5, 0.75), 64: (0, 0.5)}.get(side, (0.5,))
                for y, x in product(offsets, offsets):
                    middle = np.array((column + x, row + y)) * cell
                    found.append((*(middle - side / 2), *(middle + side / 2)))
    return np.array(found)


@given(st.integers(1, 700), st.integers(1, 700), st.data())
def test_a_box_without_change_is_its_prior(width, height, data) -> None:
    priors = priors_of(Size(width, height))
    outputs = {"loc": np.zeros((1, len(priors), 4)), "conf": np.zeros((len(priors), 2))}
    these = np.array(data.draw(st.lists(st.integers(0, len(priors) - 1), max_size=9)), np.intp)
    found = FAMILY.read(outputs, Size(width, height))
    assert len(found.scores) == len(priors)
    np.testing.assert_allclose(found.boxes(these), priors[these].reshape(-1, 4), atol=1e-3)
