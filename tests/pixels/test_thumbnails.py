import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.thumbnails import Thumbnail, sheet, square, whole

MOST = 1_000_000
RED, BLUE, WHITE = (220, 30, 30), (30, 30, 220), (255, 255, 255)


def file(size: tuple[int, int], colour=RED, format="PNG", mode="RGB", **options) -> bytes:
    return encoded(Image.new(mode, size, colour), format, **options)


def encoded(image: Image.Image, format="PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pixels(picture: Thumbnail, mode="RGB") -> np.ndarray:
    with Image.open(io.BytesIO(picture.data)) as image:
        assert (image.format, image.size) == ("WEBP", (picture.width, picture.height))
        return np.asarray(image.convert(mode)).astype(int)


def near(pixel: np.ndarray, colour: tuple[int, ...]) -> bool:
    return bool((abs(pixel - np.array(colour)) < 12).all())


@given(st.integers(1, 300), st.integers(1, 300), st.integers(8, 64))
def test_a_square_is_one_whatever_the_picture(width, height, size) -> None:
    picture = square(file((width, height)), size, MOST)
    assert (picture.width, picture.height) == (size, size)
    assert near(pixels(picture)[size // 2, size // 2], RED)


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 200), (100, 50)), ((30, 90), (30, 90)), ((1000, 1), (100, 1))]
)
def test_a_whole_picture_keeps_its_shape_and_is_not_enlarged(size, expected) -> None:
    picture = whole(file(size), 100, MOST)
    assert (picture.width, picture.height) == expected


def test_the_upper_part_of_a_tall_picture_is_shown() -> None:
    image = Image.new("RGB", (100, 300), BLUE)
    image.paste(RED, (0, 0, 100, 150))
    shown = pixels(square(encoded(image), 50, MOST))
    assert near(shown[5, 25], RED)
    assert near(shown[-5, 25], RED)


def test_a_file_that_breaks_off_is_shown_as_far_as_it_goes() -> None:
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 255, (400, 300, 3), np.uint8))
    data = encoded(noise, "JPEG")
    assert pixels(whole(data[: len(data) // 2], 100, MOST)).shape == (100, 75, 3)


def test_transparency_is_on_white_and_the_orientation_applied() -> None:
    clear = whole(file((60, 40), (0, 0, 0, 0), mode="RGBA"), 100, MOST)
    assert near(pixels(clear)[20, 30], WHITE)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = whole(file((60, 40), format="JPEG", exif=exif), 100, MOST)
    assert (turned.width, turned.height) == (40, 60)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "I;16"])
def test_every_kind_of_colour_is_shown(mode) -> None:
    data = encoded(Image.new(mode, (50, 50)), "TIFF")
    assert pixels(square(data, 20, MOST)).shape == (20, 20, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY_FILE),
        (b"<html><body>gone</body></html>", Reason.NOT_AN_IMAGE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Reason.NOT_AN_IMAGE),
        (b"\xff\xd8\xff\xe0 no more", Reason.CORRUPT),
        (b"\x89PNG\r\n\x1a\n", Reason.CORRUPT),
    ],
)
@pytest.mark.parametrize("draw", [square, whole])
def test_a_file_that_cannot_be_shown_is_refused(draw, data, reason) -> None:
    with pytest.raises(Refusal) as refused:
        draw(data, 50, MOST)
    assert refused.value.reason == reason


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(Refusal) as refused:
        whole(file((1001, 1000)), 50, MOST)
    assert refused.value.reason == Reason.TOO_MANY_PIXELS


def test_a_sheet_has_squares_in_rows_and_holes_where_there_is_no_picture() -> None:
    files = [file((50, 50), RED), None, b"<html>", file((50, 50), BLUE)]
    joined = sheet(files, 20, 3, MOST)
    assert joined.broken == [2]
    shown = pixels(joined.picture, "RGBA")
    assert shown.shape == (44, 68, 4)  # three across, two down, four pixels between
    assert near(shown[10, 10], (*RED, 255))
    assert near(shown[34, 10], (*BLUE, 255))
    assert (shown[10, 22:, 3] == 0).all()
