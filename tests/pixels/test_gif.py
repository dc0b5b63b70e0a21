"""GIF: the size that browsers give it, and white wherever its first frame is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders import gif
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.geometry import Rect, Size
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import difference, encoded, pixels, plain, recipe, result_or_reason

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
