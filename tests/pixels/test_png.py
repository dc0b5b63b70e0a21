"""The fast lane for PNG beside libvips: where it is taken, that both see the same picture, and that
whatever is wrong with a file is left to libvips.
"""

import struct
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.records import Box
from dafre_fast.pixels.decoders import choose, vips
from dafre_fast.pixels.decoders import png as png_lane
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import (
    as_stored,
    difference,
    encoded,
    exif,
    pixels,
    plan_of,
    png_of_16_bits,
    recipe,
    result_or_reason,
    smooth,
    upright,
    wide_profile,
)
from tests.pixels.pngs import (
    AVERAGE,
    IEND,
    PAETH,
    SIGNATURE,
    SUB,
    UP,
    chunk,
    filtered,
    ihdr,
    on_white,
    plain_lines,
    png,
)

WIDTH, HEIGHT = 150, 110
SIZE = 44
BOX = Box(0.2, 0.3, 0.7, 0.8)


def smooth_with_alpha(width, height):
    waves = smooth(width, height)
    return np.dstack([waves, 255 - waves[..., :1] // 2])


PICTURE = smooth(WIDTH, HEIGHT)
LINES = plain_lines(PICTURE)
ZLIB = zlib.compress(LINES)


def planned(data, *, box=BOX, full=True, **settings):
    header = read_header(data)
    return data, header, plan_of(header, recipe(**{"size": SIZE} | settings), full=full, box=box)


def takes_fast_lane(data):
    _, header, plan = planned(data)
    return png_lane.fits(header, plan)


def made(data, **settings):
    """Both outputs, whoever decodes them."""
    return choose.decode(*planned(data, **settings))


def made_by_libvips(data, **settings):
    return vips.decode(*planned(data, **settings))


def furthest(one, other):
    return np.abs(one[..., :3].astype(int) - other[..., :3]).max()


def are_alike(one, other, within=2):
    assert one.keys() == other.keys()
    return all(furthest(one[name], other[name]) <= within for name in one)


# Files that the fast lane decodes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(PICTURE), id="RGB"),
        pytest.param(encoded(smooth_with_alpha(WIDTH, HEIGHT)), id="RGBA"),
        pytest.param(encoded(PICTURE, icc_profile=wide_profile()), id="with a profile"),
        pytest.param(encoded(PICTURE, exif=exif(6)), id="turned"),
        pytest.param(png(WIDTH, HEIGHT, LINES), id="written by hand"),
    ],
)
def test_plain_file_is_decoded_by_the_fast_lane(data):
    assert takes_fast_lane(data)
    assert "full" in png_lane.decode(*planned(data))


def interlaced(data):
    """The header alone says so."""
    method = 8 + 8 + 12
    return data[:method] + b"\1" + data[method + 1 :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png_of_16_bits(np.full((200, 300, 3), 7)), id="16 bits"),
        pytest.param(encoded(Image.new("P", (300, 200))), id="palette"),
        pytest.param(encoded(Image.new("L", (300, 200))), id="grey"),
        pytest.param(encoded(Image.new("LA", (300, 200))), id="grey with alpha"),
        pytest.param(encoded(PICTURE, transparency=(1, 2, 3)), id="a transparent colour"),
        pytest.param(interlaced(encoded(PICTURE)), id="interlaced"),
    ],
)
def test_other_file_is_left_to_libvips(data):
    assert not takes_fast_lane(data)


def test_picture_too_large_for_memory_is_left_to_libvips():
    data = png(8001, 8000, b"")
    assert not takes_fast_lane(data)
    assert takes_fast_lane(png(8000, 8000, b""))


# The same picture


# libvips rounds down where it lays a picture on white.
both_kinds = pytest.mark.parametrize(("picture", "within"), [(smooth, 2), (smooth_with_alpha, 3)])


@both_kinds
@pytest.mark.parametrize(
    "size", [(150, 110), (640, 480), (301, 777)], ids=lambda size: f"{size[0]} x {size[1]}"
)
def test_outputs_are_those_of_libvips(size, picture, within):
    data = encoded(picture(*size))
    settings = {"size": 64, "face_size": 20, "exact": True}
    assert are_alike(made(data, **settings), made_by_libvips(data, **settings), within)


@both_kinds
def test_outputs_by_means_over_blocks_are_close_to_those_of_libvips(picture, within):
    data = encoded(picture(1203, 905))
    assert are_alike(made(data), made_by_libvips(data), within)


def test_crop_alone_is_the_same_as_beside_a_full_image():
    data = encoded(smooth(1203, 905))
    for exact in (False, True):
        both, alone = (made(data, full=full, exact=exact) for full in (True, False))
        assert "full" not in alone
        np.testing.assert_array_equal(both["face"][..., :3], alone["face"][..., :3])


def test_full_image_alone_is_the_same_as_beside_a_crop():
    data = encoded(smooth(1203, 905))
    for exact in (False, True):
        both, alone = (made(data, box=box, exact=exact) for box in (BOX, None))
        assert "face" not in alone
        np.testing.assert_array_equal(both["full"][..., :3], alone["full"][..., :3])


@pytest.mark.parametrize("picture", [smooth, smooth_with_alpha])
def test_picture_of_the_size_wanted_keeps_every_pixel(picture):
    array = picture(70, 50)
    lines = filtered(array, [PAETH, SUB, UP, AVERAGE, PAETH])
    full = made(png(70, 50, lines, channels=array.shape[2]), size=50, box=None)["full"]
    np.testing.assert_array_equal(full[..., :3], on_white(array))


@pytest.mark.parametrize("colour", [(10, 200, 90), (10, 200, 90, 51)])
def test_single_pixel_fills_the_full_image(colour):
    data = png(1, 1, bytes([PAETH, *colour]), channels=len(colour))
    full = made(data, box=None)["full"]
    assert full.shape[:2] == (SIZE, SIZE)
    assert (full[..., :3] == on_white(np.array([[colour]], np.uint8))).all()


@given(st.integers(1, 30), st.lists(st.integers(0, len(ZLIB)), max_size=20))
def test_scanlines_may_be_spread_over_any_chunks(size, cuts):
    edges = [0, *sorted(cuts), len(ZLIB)]
    parts = [ZLIB[a:b] for a, b in pairwise(edges)]
    data = png(WIDTH, HEIGHT, LINES, idat=b"".join(chunk(b"IDAT", part) for part in parts))
    one = png(WIDTH, HEIGHT, LINES)
    for many, whole in zip(
        made(data, size=size).values(), made(one, size=size).values(), strict=True
    ):
        np.testing.assert_array_equal(many[..., :3], whole[..., :3])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_before_the_pixels_is_honoured(orientation):
    stored = as_stored(PICTURE, orientation)
    height, width = stored.shape[:2]
    tags = chunk(b"eXIf", exif(orientation).tobytes().removeprefix(b"Exif\0\0"))
    header = read_header(data := png(width, height, plain_lines(stored), before=tags))
    assert (header.orientation, header.size) == (orientation, (WIDTH, HEIGHT))
    assert takes_fast_lane(data)
    turned, plainly = (made(file, size=HEIGHT) for file in (data, png(WIDTH, HEIGHT, LINES)))
    for found, expected in zip(turned.values(), plainly.values(), strict=True):
        np.testing.assert_array_equal(upright(found, orientation)[..., :3], expected[..., :3])


# Colour profiles


def test_wide_colours_are_converted_as_by_libvips():
    data = encoded(smooth(300, 200), icc_profile=wide_profile())
    assert takes_fast_lane(data)
    outputs = made(data)
    for found, expected in zip(outputs.values(), made_by_libvips(data).values(), strict=True):
        assert np.abs(found[..., :3].astype(int) - expected).mean() < 1
        assert furthest(found, expected) <= 10  # a level of a dark colour is many in another space
    assert not are_alike(outputs, made(encoded(smooth(300, 200))), within=10)


@pytest.mark.parametrize(("profile", "fast"), [(None, True), (wide_profile(), False)])
def test_transparent_colours_that_have_to_be_converted_are_left_to_libvips(profile, fast):
    data = encoded(smooth_with_alpha(300, 200), icc_profile=profile)
    assert takes_fast_lane(data) == fast


def test_encoded_images_of_wide_colours_are_those_of_libvips():
    data = encoded(PICTURE, icc_profile=wide_profile())
    rendered = make_images(data, recipe(size=SIZE), box=BOX)
    for name, expected in made_by_libvips(data).items():
        assert difference(pixels(rendered[name].data), expected) < 1


def test_profile_that_is_no_zlib_data_is_empty():
    data = png(WIDTH, HEIGHT, LINES, before=chunk(b"iCCP", b"wide\0\0no zlib"))
    assert read_header(data).profile == b""
    assert are_alike(made(data), made(png(WIDTH, HEIGHT, LINES)), within=0)


# Damaged files, left to libvips


def with_idat(body, crc=None):
    return png(WIDTH, HEIGHT, b"", idat=chunk(b"IDAT", body, crc))


def with_filter(type, row):
    lines = bytearray(LINES)
    lines[row * (3 * WIDTH + 1)] = type
    return png(WIDTH, HEIGHT, bytes(lines))


STRIDE = 3 * WIDTH + 1
DAMAGED = {
    "wrong checksum of the pixels' chunk": with_idat(ZLIB, crc=1),
    "wrong checksum of the header": SIGNATURE
    + ihdr(WIDTH, HEIGHT, 3)[:-4]
    + b"abcd"
    + png(WIDTH, HEIGHT, LINES)[33:],
    "wrong checksum of a text": png(WIDTH, HEIGHT, LINES, before=chunk(b"tEXt", b"a\0b", crc=1)),
    "no end": png(WIDTH, HEIGHT, LINES, after=b""),
    "half an end": png(WIDTH, HEIGHT, LINES, after=IEND[:7]),
    "rows missing": png(WIDTH, HEIGHT, LINES[: 60 * STRIDE]),
    "a byte missing": png(WIDTH, HEIGHT, LINES[:-1]),
    "a row too many": png(WIDTH, HEIGHT, LINES + bytes(STRIDE)),
    "a byte too many": png(WIDTH, HEIGHT, LINES + b"\0"),
    "filter type 5": with_filter(5, 70),
    "filter type 255 of the last row": with_filter(255, HEIGHT - 1),
    "broken zlib": with_idat(ZLIB[:2] + b"\xff" * (len(ZLIB) - 2)),
    "no zlib": with_idat(b"\0\0" + ZLIB[2:]),
    "wrong zlib checksum": with_idat(ZLIB[:-4] + b"abcd"),
    "no zlib checksum": with_idat(ZLIB[:-4]),
    "half the zlib": with_idat(ZLIB[: len(ZLIB) // 2]),
    "no pixels at all": png(WIDTH, HEIGHT, b"", idat=b""),
    "a chunk that must be understood": png(WIDTH, HEIGHT, LINES, before=chunk(b"ABCD", b"?")),
    "a second header": png(WIDTH, HEIGHT, LINES, before=ihdr(10, 10, 3)),
    "a text amid the pixels": png(
        WIDTH,
        HEIGHT,
        b"",
        idat=chunk(b"IDAT", ZLIB[:500]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", ZLIB[500:]),
    ),
}
damaged = pytest.mark.parametrize(
    "data",
    [pytest.param(data, id=name) for name, data in DAMAGED.items()],
)


@damaged
def test_fast_lane_refuses_what_is_not_as_it_should_be(data):
    assert takes_fast_lane(data)
    with pytest.raises(Refusal):
        png_lane.decode(*planned(data))


@damaged
def test_outcome_of_a_damaged_file_is_that_of_libvips(data):
    found, judged = (result_or_reason(function, data) for function in (made, made_by_libvips))
    if isinstance(judged, dict):
        assert are_alike(found, judged, within=0)
    else:
        assert found == judged


@damaged
def test_damaged_file_never_becomes_a_different_picture(data):
    found = result_or_reason(made, data)
    if isinstance(found, dict):
        assert are_alike(found, made(png(WIDTH, HEIGHT, LINES)))


FILE = png(40, 30, filtered(smooth(40, 30), [PAETH, SUB, UP, AVERAGE]))


@given(st.data())
def test_file_with_a_byte_changed_is_the_same_picture_or_left_to_libvips(data):
    """Every byte after the signature and IHDR is covered by a checksum or part of one."""
    at = data.draw(st.integers(33, len(FILE) - 1))
    changed = bytearray(FILE)
    changed[at] ^= data.draw(st.integers(1, 255))
    plan = planned(FILE, size=20)
    found = result_or_reason(png_lane.decode, bytes(changed), *plan[1:])
    if isinstance(found, dict):
        for name, expected in png_lane.decode(*plan).items():
            np.testing.assert_array_equal(found[name].pixels[..., :3], expected.pixels[..., :3])


@given(st.integers(33, len(FILE) - 1))
def test_file_cut_short_is_left_to_libvips(end):
    with pytest.raises(Refusal):
        png_lane.decode(FILE[:end], *planned(FILE)[1:])


def test_length_of_a_chunk_beyond_the_file_ends_the_header():
    endless = struct.pack(">I", 2**32 - 1) + b"tEXt"
    assert read_header(png(3, 2, b"", before=endless)).stored == (3, 2)


@pytest.mark.parametrize("name", ["RGB", "RGBA"])
def test_images_are_made_from_hand_written_files(name):
    picture = {"RGB": smooth, "RGBA": smooth_with_alpha}[name](WIDTH, HEIGHT)
    data = png(WIDTH, HEIGHT, plain_lines(picture), channels=picture.shape[2])
    rendered = make_images(data, recipe(size=SIZE), box=BOX)
    assert (rendered["full"].width, rendered["full"].height) == (60, SIZE)
    assert (rendered["face"].width, rendered["face"].height) == (75, 55)
