"""The baseline decoder beside libjpeg-turbo: the same pixels to the last bit, or none at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.errors import Refusal
from dafre_fast.core.records import Box
from dafre_fast.pixels.decoders import baseline, jpeg
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.geometry import Rect
from dafre_fast.pixels.making import show_images
from dafre_fast.pixels.rasters import cut
from tests.pixels.pictures import IMAGES, encoded, opened, plain, recipe, smooth

pytestmark = pytest.mark.skipif(turbo() is None, reason="no libjpeg-turbo on this machine")

NOWHERE = Rect(0, 0, 0, 0)
SCALES = [1, 2, 4]
shares = st.floats(0, 1)


def textured(width, height, strength, seed=0):
    """Soft waves under noise: `strength` 0 gives few coefficients, 100 gives nearly all."""
    noise = np.random.default_rng(seed).normal(0, strength, (height, width, 3))
    return np.clip(smooth(width, height) + noise, 0, 255).astype(np.uint8)


@st.composite
def files(draw):
    """JPEGs of the kinds that are taken."""
    size = draw(st.tuples(st.integers(5, 90), st.integers(1, 90)))
    pixels = textured(*size, draw(st.sampled_from([0, 3, 20, 100])), draw(st.integers(0, 9)))
    options = {
        "quality": draw(st.integers(1, 100)),
        "optimize": draw(st.booleans()),
        "restart_marker_blocks": draw(st.sampled_from([0, 0, 1, 3, 7])),
    }
    if draw(st.booleans()):
        return encoded(pixels, "JPEG", subsampling=draw(st.sampled_from(["4:2:0", "4:4:4"])))
    if draw(st.booleans()):
        return encoded(opened(encoded(pixels)).convert("L"), "JPEG", **options)
    subsampling = draw(st.sampled_from(["4:2:0", "4:4:4"]))
    return encoded(pixels, "JPEG", subsampling=subsampling, **options)


def size_of(data):
    return jpeg.read_header(data).stored


def region_of(size, across, down):
    """The region between two shares of the width and two of the height, of a pixel or more."""
    (left, right), (top, bottom) = (
        (int(low * (length - 1)), int(high * (length - 1)) + 1)
        for (low, high), length in zip(map(sorted, (across, down)), size, strict=True)
    )
    return Rect(left, top, right, bottom)


def scaled(size, eighths):
    return [-(-length * eighths // 8) for length in size]


def assert_same(data, eighths, region):
    size = size_of(data)
    found = baseline.decode(data, eighths, region)
    # Of two scales that give the same size, turbojpeg takes the larger: no picture to compare with.
    if scaled(size, eighths) != scaled(size, eighths + 1):
        np.testing.assert_array_equal(found.reduced, jpeg.read_pixels(data, size, eighths))
    whole = jpeg.read_pixels(data, size, 8)
    np.testing.assert_array_equal(found.region, cut(whole, region))


@given(files(), st.sampled_from(SCALES), st.tuples(shares, shares), st.tuples(shares, shares))
def test_pixels_are_those_of_libjpeg_turbo(data, eighths, across, down):
    assert_same(data, eighths, region_of(size_of(data), across, down))


def real_files():
    return sorted(IMAGES.rglob("*.jpg")) or [None]


@pytest.mark.parametrize("path", real_files(), ids=lambda path: path.stem if path else "none")
def test_pixels_of_real_pictures_are_those_of_libjpeg_turbo(path):
    if path is None:
        pytest.skip(f"no pictures in {IMAGES}")
    data = path.read_bytes()
    size = size_of(data)
    for eighths in SCALES:
        assert_same(data, eighths, Rect(0, 0, *size))
        assert_same(data, eighths, region_of(size, (0.31, 0.72), (0.13, 0.55)))


DAMAGED = [
    encoded(textured(80, 60, 20), "JPEG", quality=80, subsampling="4:2:0"),
    encoded(textured(60, 80, 3), "JPEG", quality=30, restart_marker_blocks=5),
    encoded(textured(70, 40, 100), "JPEG", quality=97, optimize=True),
]


@given(
    st.sampled_from(DAMAGED),
    st.lists(st.tuples(shares, st.integers(0, 255)), min_size=1, max_size=3),
    st.sampled_from(SCALES),
)
def test_damaged_file_gives_the_pixels_of_libjpeg_turbo_or_none(data, changes, eighths):
    changed = bytearray(data)
    for share, byte in changes:
        changed[int(share * (len(data) - 1))] = byte
    try:
        size = size_of(bytes(changed))
    except Refusal:
        return
    if size.width * size.height > 100_000:
        return
    region = Rect(0, 0, *size)
    if baseline.decode(bytes(changed), eighths, region) is not None:
        assert_same(bytes(changed), eighths, region)


@given(st.sampled_from(DAMAGED), shares)
def test_file_that_breaks_off_is_not_taken(data, share):
    assert baseline.decode(data[: int(share * (len(data) - 1))], 4, NOWHERE) is None


SOUND = DAMAGED[1]
COLOURS = smooth(64, 48)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(COLOURS, "JPEG", progressive=True), id="progressive"),
        pytest.param(encoded(COLOURS, "JPEG", subsampling="4:2:2"), id="4:2:2"),
        pytest.param(encoded(COLOURS, "JPEG", keep_rgb=True), id="coded as RGB"),
        pytest.param(encoded(plain((1, 2, 3, 4), mode="CMYK"), "JPEG"), id="CMYK"),
        pytest.param(encoded(smooth(4, 48), "JPEG", subsampling="4:2:0"), id="too narrow"),
        pytest.param(SOUND.replace(b"\xff\xd3", b"\xff\xd4"), id="restart markers out of order"),
        pytest.param(SOUND.replace(b"\xff\xd3", b"\0\0"), id="restart marker missing"),
        pytest.param(SOUND[:-2], id="no end marker"),
        pytest.param(SOUND[:-2] + b"\0\xff\xd9", id="bytes before the end marker"),
        pytest.param(SOUND[:2] + b"\0" + SOUND[2:], id="bytes between segments"),
        pytest.param(SOUND.replace(b"JFIF\0\1", b"JFIF\0\7"), id="another version of JFIF"),
    ],
)
def test_unusual_file_is_left_to_libjpeg_turbo(data):
    assert baseline.decode(data, 4, NOWHERE) is None


def test_bytes_behind_the_picture_do_not_matter():
    assert_same(SOUND + b"another file", 4, Rect(0, 0, *size_of(SOUND)))


@pytest.mark.parametrize("options", [{"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}])
@pytest.mark.parametrize("size", [(640, 480), (301, 777)])
def test_full_image_is_the_same_with_and_without_a_head(options, size):
    data = encoded(textured(*size, 10), "JPEG", quality=90, **options)
    alone = show_images(data, recipe(size=64))
    both = show_images(data, recipe(size=64), box=Box(0.2, 0.1, 0.7, 0.6))
    np.testing.assert_array_equal(both["full"][..., :3], alone["full"][..., :3])
    assert "face" in both.pictures
