import numpy as np
import pytest

from dafre_fast.pixels.tensors import planar


@pytest.mark.parametrize("cut", [slice(None), slice(3, 20)])
@pytest.mark.parametrize("size", [(1, 1), (33, 47), (256, 300)])
def test_planes_are_the_pixels_channel_by_channel(size, cut) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)[:, cut]
    if pixels.size:
        planes = planar(pixels)
        assert planes.flags.c_contiguous
        np.testing.assert_array_equal(planes, pixels.transpose(2, 0, 1))
