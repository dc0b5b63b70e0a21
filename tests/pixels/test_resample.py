import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.kernels.resample import block_for, resize, shrink
from dafre_fast.pixels.rasters import Raster, raster

sides = st.integers(1, 60)
sizes = st.builds(Size, sides, sides)
channels = st.sampled_from([3, 4])
seeds = st.integers(0, 2**32 - 1)
eighths = st.integers(0, 7).map(lambda n: n / 8)
blocks = st.integers(2, 16)


def lanczos(source, extent, target):
    """Weights (target, source) of a Lanczos-3 filter, as the definition has them."""
    step = extent / target
    centres = (np.arange(target)[:, None] + 0.5) * step
    x = (np.arange(source) + 0.5 - centres) / max(step, 1.0)
    weights = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def resized(source, size):
    """The model: one matrix for the rows and one for the columns, in float64."""
    pixels, extent, scale = source
    height, width = pixels.shape[:2]
    down, across = lanczos(height, extent[1], size.height), lanczos(width, extent[0], size.width)
    exact = np.einsum("ij,jkc,lk->ilc", down, pixels[..., :3] * scale, across, optimize=True)
    return np.floor(np.clip(exact, 0, 255) + 0.5)


def noise(seed, height, width, channels, most=255, kind=np.uint8):
    return np.random.default_rng(seed).integers(0, most + 1, (height, width, channels), kind)


def furthest(found, expected):
    return np.abs(found[..., :3].astype(int) - expected[..., :3]).max()


@st.composite
def pictures(draw):
    """uint8, whose extent may end within the last pixel on each side."""
    width, height, seed = draw(sides), draw(sides), draw(seeds)
    extent = (width - draw(eighths), height - draw(eighths))
    return Raster(noise(seed, height, width, draw(channels)), extent)


@st.composite
def sums(draw):
    """uint16, as they are left by blocks of which the last may stick out."""
    width, height, block = draw(sides), draw(sides), draw(blocks)
    extent = (width - draw(st.integers(0, block - 1)) / block, height)
    values = noise(draw(seeds), height, width, 3, 255 * block**2, np.uint16)
    return Raster(values, extent, 1 / block**2)


@given(pictures(), sizes)
def test_resize_is_lanczos_3(source, size):
    assert furthest(resize(source, size), resized(source, size)) <= 1


@given(sums(), sizes)
def test_resize_of_sums_is_lanczos_3_of_their_means(source, size):
    assert furthest(resize(source, size), resized(source, size)) <= 1


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param((600, 7), (9, 7), id="one side, far down"),
        pytest.param((7, 600), (7, 9), id="the other side, far down"),
        pytest.param((5, 4), (200, 3), id="up and down"),
        pytest.param((1, 1), (256, 256), id="one pixel"),
        pytest.param((740, 1000), (256, 345), id="as pictures are"),
    ],
)
def test_resize_of_any_stretch_is_lanczos_3(source, target):
    picture = raster(noise(1, source[1], source[0], 3))
    assert furthest(resize(picture, Size(*target)), resized(picture, Size(*target))) <= 1


@given(sizes, sizes, channels, st.integers(0, 255), eighths, eighths)
def test_flat_colour_stays_flat(source, target, channels, tone, right, below):
    picture = np.full((source.height, source.width, channels), tone, np.uint8)
    made = resize(Raster(picture, (source.width - right, source.height - below)), target)
    assert made.shape[:2] == (target.height, target.width)
    assert (made[..., :3] == tone).all()


@given(sizes, channels, seeds)
def test_picture_of_the_size_wanted_is_left_as_it_is(size, channels, seed):
    picture = noise(seed, size.height, size.width, channels)
    np.testing.assert_array_equal(resize(raster(picture), size), picture)


@given(sizes, st.integers(0, 3), sizes, seeds)
def test_channels_do_not_mix(size, channel, target, seed):
    picture = np.zeros((size.height, size.width, 4), np.uint8)
    picture[..., channel] = noise(seed, size.height, size.width, 1)[..., 0]
    assume(size != target)
    assert not np.delete(resize(raster(picture), target), channel, axis=2).any()


def test_picture_is_not_shifted_by_an_extent_within_its_last_pixel():
    # 9 of 10 columns and a half: their mean lies half a column further left.
    ramp = np.repeat(np.arange(0, 200, 20, dtype=np.uint8)[None, :, None], 10, axis=0).repeat(3, 2)
    whole, short = (resize(Raster(ramp, (width, 10)), Size(2, 2)) for width in (10, 9))
    assert (short < whole)[..., :3].all()


def cut_from_the_whole(picture):
    """A region that does not lie in one piece."""
    height, width, count = picture.shape
    around = np.zeros((height + 4, width + 6, count), np.uint8)
    around[2:-2, 3:-3] = picture
    return around[2:-2, 3:-3]


@given(sizes, sizes, channels, seeds)
def test_region_is_resized_as_a_picture_of_its_own(size, target, channels, seed):
    picture = noise(seed, size.height, size.width, channels)
    region = cut_from_the_whole(picture)
    assert furthest(resize(raster(region), target), resize(raster(picture), target)) == 0


# Whatever lies in memory


def followed_by(picture, byte):
    """The same picture, with 64 of these bytes behind it."""
    memory = np.full(picture.nbytes + 64, byte, np.uint8)
    memory[: picture.nbytes] = picture.view(np.uint8).reshape(-1)
    return memory[: picture.nbytes].view(picture.dtype).reshape(picture.shape)


def litter(byte):
    """Leave bytes where the next arrays will be made: 255s are numbers that are none."""
    pieces = [np.full(2**power, byte, np.uint8) for power in range(4, 20) for _ in range(4)]
    del pieces


@given(sizes, sizes, channels, seeds)
def test_resize_does_not_depend_on_what_lies_in_memory(size, target, channels, seed):
    picture = noise(seed, size.height, size.width, channels)
    made = []
    for byte in (0, 255, 127):
        litter(byte)
        made.append(resize(raster(followed_by(picture, byte)), target).tobytes())
    assert len(set(made)) == 1


@given(sizes, channels, blocks, seeds)
def test_shrink_does_not_depend_on_what_lies_in_memory(size, channels, block, seed):
    picture = noise(seed, size.height, size.width, channels)
    made = []
    for byte in (0, 255):
        litter(byte)
        made.append(shrink(followed_by(picture, byte), block).pixels.tobytes())
    assert made[0] == made[1]


# Means over blocks


@given(sizes, channels, blocks, seeds)
def test_shrink_leaves_the_means_over_blocks(size, channels, block, seed):
    picture = noise(seed, size.height, size.width, channels)
    sums, _, scale = shrink(picture, block)
    assert sums.shape[:2] == (-(-size.height // block), -(-size.width // block))
    for y, x in np.ndindex(sums.shape[:2]):
        part = picture[y * block : (y + 1) * block, x * block : (x + 1) * block, :3]
        assert (np.abs(part.mean(axis=(0, 1)) - sums[y, x] * scale) < 1).all()


@given(sizes, blocks)
def test_shrink_tells_how_far_the_picture_reaches_into_its_last_block(size, block):
    picture = np.zeros((size.height, size.width, 3), np.uint8)
    assert shrink(picture, block).extent == (size.width / block, size.height / block)


@given(sizes, channels, seeds)
def test_shrink_by_one_leaves_the_picture_as_it_is(size, channels, seed):
    picture = noise(seed, size.height, size.width, channels)
    source = shrink(picture, 1)
    np.testing.assert_array_equal(source.pixels, picture)
    assert (source.extent, source.scale) == (size, 1)


wide = st.builds(Size, st.integers(1, 20_000), st.integers(1, 20_000))


@given(wide, wide)
def test_block_leaves_at_least_twice_the_target(size, target):
    block = block_for(size, target)
    assert 1 <= block <= 16
    if block > 1:
        assert all(side >= 2 * block * wanted for side, wanted in zip(size, target, strict=True))


@given(wide, wide)
def test_block_is_the_largest_that_does(size, target):
    larger = block_for(size, target) + 1
    if larger <= 16:
        assert any(side < 2 * larger * wanted for side, wanted in zip(size, target, strict=True))
