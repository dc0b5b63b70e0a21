"""GIF: the size that browsers give it, and white wherever its first frame is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import gif
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.decoders.vips import gif_pixels
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import (
    difference,
    encoded,
    opened,
    pixels,
    plain,
    recipe,
    result_or_reason,
)

RED = (200, 30, 40)


def on_screen(screen, offset, frame=(40, 30), **options):
    """A red frame somewhere on a screen."""
    data = encoded(plain(RED, frame), "GIF", **options)
    at = data.index(b"\x2c", 13)
    numbers = [number.to_bytes(2, "little") for number in (*screen, *offset)]
    return b"".join([data[:6], *numbers[:2], data[10 : at + 1], *numbers[2:], data[at + 5 :]])


@pytest.mark.parametrize(
    ("screen", "size"),
    [
        pytest.param((100, 90), (100, 90), id="a screen around the frame"),
        pytest.param((640, 480), (640, 480), id="a common screen of which libvips thinks little"),
        pytest.param((3000, 90), (3000, 90), id="a screen too wide for libvips to believe"),
        pytest.param((20, 20), (50, 35), id="a screen too small for the frame"),
    ],
)
def test_size_is_that_of_the_screen_and_of_a_first_frame_that_is_larger(screen, size):
    assert read_header(on_screen(screen, (10, 5))).size == size


def test_around_the_first_frame_is_white():
    full = make_images(on_screen((100, 90), (10, 5)), recipe(size=90))["full"]
    found = pixels(full.data)
    assert difference(found[8:32, 13:47], RED) < 3
    assert (found[40:] > 250).all()
    assert (found[:, 60:] > 250).all()


def test_a_frame_that_fills_its_screen_leaves_no_white():
    full = make_images(on_screen((40, 30), (0, 0)), recipe(size=30))["full"]
    assert difference(pixels(full.data), RED) < 3


def test_a_file_without_a_frame_is_refused():
    head = on_screen((40, 30), (0, 0))[:13]
    assert result_or_reason(read_header, head + b";") is Reason.CORRUPT_HEADER


def test_the_first_frame_is_found_behind_extensions():
    data = on_screen((100, 90), (7, 8), comment=b"x" * 1000)
    assert gif.first_frame(data) == Rect(7, 8, 47, 38)


@given(st.binary(max_size=300))
def test_any_bytes_have_a_screen_or_are_refused(data):
    found = result_or_reason(gif.screen, b"GIF89a" + data)
    assert isinstance(found, Size) or found is Reason.CORRUPT_HEADER


@st.composite
def drawn_frames(draw):
    """A picture of few or many colours: short codes, long codes, full tables."""
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    colours = draw(st.sampled_from([1, 2, 4, 17, 256]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return Image.fromarray(random.integers(0, colours, (height, width), np.uint8))


@given(drawn_frames(), st.booleans(), st.integers(0, 30))
def test_pixels_are_counted_as_pillow_decodes_them(picture, interlace, cut):
    data = encoded(picture, "GIF", interlace=interlace)
    data = gif.alone(data[: max(len(data) - cut, gif.first_codes(data) + 2)])
    there, wanted = gif_pixels(data)
    assert wanted == picture.width * picture.height
    try:
        opened(data).load()
    except OSError:
        assert there < wanted
    else:
        assert there == wanted


@given(st.binary(max_size=300))
def test_any_codes_stand_for_no_more_pixels_than_the_frame_has(codes):
    frame = b"\x2c\0\0\0\0\x28\0\x1e\0\0"
    there, wanted = gif_pixels(b"GIF89a\x28\0\x1e\0\0\0\0" + frame + codes)
    assert 0 <= there <= wanted == 40 * 30
