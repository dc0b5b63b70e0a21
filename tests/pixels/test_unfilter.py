import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders.png import _scan
from dafre_fast.pixels.geometry import Rect, Size
from tests.pixels.pngs import AVERAGE, PAETH, SUB, UP, filtered, on_white, png, unfiltered

sides = st.integers(1, 40)
blocks = st.integers(2, 16)
NOTHING = Rect(0, 0, 0, 0)


@st.composite
def scanlines(draw):
    """Any bytes are filtered scanlines, but small ones bring more ties to Paeth's predictor."""
    width, height, channels = draw(sides), draw(sides), draw(st.sampled_from([3, 4]))
    types = draw(st.lists(st.integers(0, PAETH), min_size=height, max_size=height))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    above_all = draw(st.sampled_from([2, 8, 256]))
    lines = random.integers(0, above_all, (height, width * channels + 1), np.uint8)
    lines[:, 0] = types
    return width, height, channels, lines.tobytes()


@st.composite
def spans(draw, side):
    """Start and end of a region along a side; the region may be empty."""
    return sorted(draw(st.tuples(st.integers(0, side), st.integers(0, side))))


def scan(width, height, channels, lines, block=0, shown=NOTHING):
    file = png(width, height, lines, channels=channels)
    return _scan(file, Size(width, height), block, shown)


@given(scanlines())
def test_pixels_are_those_that_the_filters_stand_for(picture):
    width, height, channels, lines = picture
    _, pixels = scan(*picture, shown=Rect(0, 0, width, height))
    expected = on_white(unfiltered(lines, width, height, channels))
    np.testing.assert_array_equal(pixels[..., :3], expected)


@given(scanlines(), st.data())
def test_region_holds_its_pixels_alone(picture, data):
    width, height, _, _ = picture
    (left, right), (top, bottom) = data.draw(spans(width)), data.draw(spans(height))
    _, whole = scan(*picture, shown=Rect(0, 0, width, height))
    _, region = scan(*picture, shown=Rect(left, top, right, bottom))
    np.testing.assert_array_equal(region[..., :3], whole[top:bottom, left:right, :3])


@given(scanlines(), blocks)
def test_sums_are_those_over_whole_blocks(picture, block):
    width, height, _, _ = picture
    sums, pixels = scan(*picture, block, Rect(0, 0, width, height))
    rows, columns = height // block, width // block
    whole = pixels[: rows * block, : columns * block, :3].astype(int)
    expected = whole.reshape(rows, block, columns, block, 3).sum(axis=(1, 3))
    np.testing.assert_array_equal(sums[:rows, :columns], expected)


@given(scanlines(), blocks)
def test_sums_over_blocks_that_stick_out_are_scaled_to_full_ones(picture, block):
    width, height, _, _ = picture
    sums, pixels = scan(*picture, block, Rect(0, 0, width, height))
    assert sums.shape == (-(-height // block), -(-width // block), 3)
    for y, x in np.ndindex(sums.shape[:2]):
        part = pixels[y * block : (y + 1) * block, x * block : (x + 1) * block, :3]
        assert (np.abs(part.mean(axis=(0, 1)) - sums[y, x] / block**2) < 1).all()


@given(scanlines(), blocks)
def test_sums_are_the_same_whatever_region_is_wanted(picture, block):
    width, height, _, _ = picture
    alone, _ = scan(*picture, block)
    beside, _ = scan(*picture, block, Rect(0, 0, width, height))
    np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize("height", range(1, 26))
def test_last_rows_are_right_however_many_they_are(height):
    picture = np.random.default_rng(height).integers(0, 256, (height, 11, 3), np.uint8)
    lines = filtered(picture, [PAETH, AVERAGE, UP, SUB, PAETH])
    _, pixels = scan(11, height, 3, lines, shown=Rect(0, 0, 11, height))
    np.testing.assert_array_equal(pixels[..., :3], picture)


@pytest.mark.parametrize("alpha", range(0, 256, 5))
def test_every_tone_is_laid_on_white_rounded_to_nearest(alpha):
    tones = np.arange(256, dtype=np.uint8)
    picture = np.stack([tones, tones, tones, np.full(256, alpha, np.uint8)], axis=-1)[None]
    _, pixels = scan(256, 1, 4, filtered(picture, [0]), shown=Rect(0, 0, 256, 1))
    np.testing.assert_array_equal(pixels[..., :3], on_white(picture))


def test_white_fills_the_largest_sums_without_overflow():
    white = np.full((32, 32, 3), 255, np.uint8)
    sums, _ = scan(32, 32, 3, filtered(white, [0]), block=16)
    assert (sums == 255 * 256).all()


@given(scanlines(), st.integers(0, 39), st.integers(PAETH + 1, 255))
@example((1, 1, 3, bytes(4)), 0, 5)
@example((1, 9, 3, bytes(36)), 8, 255)
def test_filter_type_that_does_not_exist_is_refused(picture, row, type):
    width, height, channels, lines = picture
    broken = bytearray(lines)
    broken[row % height * (width * channels + 1)] = type
    with pytest.raises(Refusal) as refused:
        scan(width, height, channels, bytes(broken), 2)
    assert refused.value.reason is Reason.CORRUPT
