"""Animated PNGs: the first frame is taken, also where the default image is no frame."""

import struct
import zlib
from itertools import count

import numpy as np
import pytest

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.pixels.decoders.apng import hidden_frame
from dafre_fast.pixels.making import make_images, show_images
from tests.pixels.pictures import encoded, opened, plain, recipe, wide_profile
from tests.pixels.pngs import IEND, SIGNATURE, chunk, ihdr, plain_lines, with_chunks

WIDTH, HEIGHT = 60, 40
WARNING, ORANGE, BLUE = (90, 90, 90), (200, 100, 50), (0, 0, 250)
WHITE = (255, 255, 255)


def filled(colour, width=WIDTH, height=HEIGHT):
    return np.full((height, width, len(colour)), colour, np.uint8)


def packed(pixels):
    return zlib.compress(plain_lines(pixels))


def animated(*frames, default=None, before=b"", announced=None, parts=1):
    """An animation of frames (pixels, left, top). `default`: pixels of an image that is no frame;
    else the first frame is the default image. `parts`: fdAT chunks of a frame.
    """
    numbers = count()
    first = frames[0][0] if default is None else default
    number = len(frames) if announced is None else announced
    file = [SIGNATURE, ihdr(WIDTH, HEIGHT, first.shape[2])]
    file += [chunk(b"acTL", struct.pack(">II", number, 0)), before]
    if default is not None:
        file.append(chunk(b"IDAT", packed(default)))
    for index, (pixels, left, top) in enumerate(frames):
        height, width = pixels.shape[:2]
        control = struct.pack(">5IHHBB", next(numbers), width, height, left, top, 1, 10, 0, 0)
        file.append(chunk(b"fcTL", control))
        data = packed(pixels)
        if default is None and index == 0:
            file.append(chunk(b"IDAT", data))
            continue
        step = -(-len(data) // parts)
        for at in range(0, len(data), step):
            file.append(chunk(b"fdAT", struct.pack(">I", next(numbers)) + data[at : at + step]))
    return b"".join([*file, IEND])


def seen(data, **settings):
    return show_images(data, recipe(size=HEIGHT, **settings))["full"][..., :3]


def is_all(found, colour):
    return (found == colour).all()


FRAMES = (filled(ORANGE), 0, 0), (filled(BLUE), 0, 0)


def test_the_default_image_is_taken_where_it_is_the_first_frame():
    assert is_all(seen(animated(*FRAMES)), ORANGE)


@pytest.mark.parametrize("parts", [1, 3])
def test_the_first_frame_is_taken_where_the_default_image_is_none(parts):
    data = animated(*FRAMES, default=filled(WARNING), parts=parts)
    assert opened(data).convert("RGB").getpixel((0, 0)) == WARNING
    assert is_all(seen(data), ORANGE)


def test_what_pillow_writes_with_a_default_image_is_read_so_too():
    pictures = [plain(colour, (WIDTH, HEIGHT)) for colour in (WARNING, ORANGE, BLUE)]
    data = encoded(pictures[0], save_all=True, append_images=pictures[1:], default_image=True)
    assert opened(data).info["default_image"]
    assert is_all(seen(data), ORANGE)


def test_what_a_first_frame_leaves_free_is_white():
    part = filled(ORANGE, 20, 10)
    found = seen(animated((part, 5, 7), default=filled(WARNING)))
    assert is_all(found[7:17, 5:25], ORANGE)
    found[7:17, 5:25] = 255
    assert is_all(found, WHITE)


def test_a_transparent_frame_is_laid_on_white():
    found = seen(animated((filled((*ORANGE, 128)), 0, 0), default=filled((*WARNING, 255))))
    assert is_all(found, (227, 177, 152))


def test_colours_of_a_frame_are_converted_by_the_profile_of_the_file():
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(wide_profile()))
    part = filled((234, 51, 35), 30, 40)  # red of sRGB
    found = seen(animated((part, 0, 0), default=filled(WARNING), before=profile)).astype(int)
    assert np.abs(found[:, :30] - (255, 0, 0)).max() <= 3
    assert is_all(found[:, 30:], WHITE)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(plain(ORANGE, (WIDTH, HEIGHT))), id="no animation"),
        pytest.param(animated(*FRAMES), id="the default image is a frame"),
        pytest.param(animated(default=filled(ORANGE)), id="no frame"),
        pytest.param(animated(*FRAMES, default=filled(ORANGE), announced=0), id="none announced"),
    ],
)
def test_any_other_png_shows_its_default_image(data):
    assert hidden_frame(data) is None
    assert is_all(seen(data), ORANGE)


@pytest.mark.parametrize("place", [(1, 0), (0, 1), (2**31, 0)])
def test_a_first_frame_outside_the_picture_is_damage(place):
    with pytest.raises(Refusal) as refused:
        make_images(animated((filled(ORANGE), *place), default=filled(WARNING)), recipe())
    assert refused.value.reason is Reason.CORRUPT


def test_a_first_frame_without_pixels_is_damage():
    control = struct.pack(">5IHHBB", 0, WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
    data = animated(default=filled(WARNING), announced=1)[: -len(IEND)]
    with pytest.raises(Refusal) as refused:
        make_images(data + chunk(b"fcTL", control) + IEND, recipe())
    assert refused.value.reason in {Reason.CORRUPT, Reason.CORRUPT_HEADER}


both_ways = pytest.mark.parametrize("truncated", ["refuse", "keep"])


@both_ways
def test_the_first_frame_is_taken_of_a_file_that_breaks_off_behind_it(truncated):
    data = animated(*FRAMES, default=filled(WARNING))[:-30]
    shown = show_images(data, recipe(size=HEIGHT, truncated=truncated))
    assert is_all(shown["full"][..., :3], ORANGE)
    assert shown.notes == (Note.MINOR_DAMAGE,)


@both_ways
def test_of_a_file_that_breaks_off_within_the_first_frame_the_default_image_is_not_kept(truncated):
    data = animated(FRAMES[0], default=filled(WARNING))
    with pytest.raises(Refusal) as refused:
        make_images(data[:-30], recipe(truncated=truncated))
    assert refused.value.reason is Reason.TRUNCATED


def test_a_text_that_looks_like_a_frame_is_none():
    text = chunk(b"tEXt", b"Comment\0acTLfcTLfdAT")
    assert is_all(seen(with_chunks(encoded(plain(ORANGE, (WIDTH, HEIGHT))), text)), ORANGE)
