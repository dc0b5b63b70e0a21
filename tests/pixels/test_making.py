import math
import os
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import pyvips
from msgspec.structs import replace
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Box
from dafre_fast.core.settings.images import Encoding, HeadBox, Output, ShortSide, Whole
from dafre_fast.pixels.decoders.turbo import turbo
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import (
    IMAGES,
    PATCHES,
    as_stored,
    difference,
    encoded,
    exif,
    grey_profile,
    is_close,
    mosaic,
    opened,
    patches,
    pixels,
    plain,
    png_of_16_bits,
    recipe,
    result_or_reason,
    smooth,
    wide_profile,
)

ORANGE = (200, 100, 50)
WHITE = (255, 255, 255)
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF")
BAD_BOXES = {
    "not finite": (Box(math.nan, 0.1, 0.5, 0.5), Reason.BAD_BOX),
    "inverted": (Box(0.5, 0.1, 0.2, 0.5), Reason.BAD_BOX),
    "outside": (Box(1.5, 0.1, 2.0, 0.5), Reason.BAD_BOX),
    "empty": (Box(0.5, 0.1, 0.5, 0.5), Reason.EMPTY_BOX),
}
bad_boxes = pytest.mark.parametrize(
    ("box", "reason"), [pytest.param(*case, id=name) for name, case in BAD_BOXES.items()]
)
orientations = pytest.mark.parametrize("orientation", range(1, 9))


def full_of(data, **settings):
    return make_images(data, recipe(**settings))["full"]


def face_of(data, box, **settings):
    return make_images(data, recipe(**settings), ["face"], box=box)["face"]


def seen(data, **settings):
    """Pixels of the full image."""
    return pixels(full_of(data, **settings).data)


def centres(array):
    """The pixel in the middle of each quarter, as `PATCHES` lists them."""
    height, width = array.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return [array[row, column] for row in rows for column in columns]


# Sizes


@pytest.mark.parametrize(
    ("original", "expected"),
    [
        pytest.param((640, 480), (341, 256), id="landscape"),
        pytest.param((480, 640), (256, 341), id="portrait"),
        pytest.param((500, 500), (256, 256), id="square"),
        pytest.param((60, 40), (384, 256), id="small, enlarged"),
        pytest.param((256, 300), (256, 300), id="as it is"),
        pytest.param((1200, 850), (361, 256), id="850 high"),
        pytest.param((1, 1), (256, 256), id="one pixel"),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_full_image_has_its_exact_size(format, original, expected):
    full = full_of(encoded(patches(*original), format))
    assert opened(full.data).size == (full.width, full.height) == expected


@pytest.mark.parametrize("side", [511, 512, 1023, 1024, 1025, 2047, 2048])
def test_full_image_has_its_exact_size_however_far_the_jpeg_is_shrunk_on_load(side):
    full = full_of(encoded(patches(side + 1, side), "JPEG"))
    assert opened(full.data).size == ((side + 1) * 256 // side, 256)


def test_output_may_be_as_long_as_libjpeg_allows():
    full = full_of(encoded(plain(9, (1, 6550), "L")), size=10)
    assert opened(full.data).size == (10, 65_500)


@pytest.mark.parametrize(
    "height",
    [
        pytest.param(
            6551,
            id="for libjpeg",
        ),
        pytest.param(6554, id="for two bytes"),
    ],
)
def test_output_that_is_too_long_is_refused(height):
    with pytest.raises(Refusal) as refused:
        full_of(encoded(plain(9, (1, height), "L")), size=10)
    assert refused.value.reason is Reason.OUTPUT_TOO_LARGE


def test_strip_that_would_become_enormous_is_refused():
    with pytest.raises(Refusal) as refused:
        full_of(encoded(plain(9, (1, 20_000), "L")))
    assert refused.value.reason is Reason.OUTPUT_TOO_LARGE


def test_original_of_as_many_pixels_as_allowed_is_made():
    assert full_of(encoded(patches(100, 80)), size=8, max_pixels=8000).height == 8


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_original_of_a_pixel_too_many_is_refused(format):
    with pytest.raises(Refusal) as refused:
        full_of(encoded(patches(100, 80), format), size=8, max_pixels=7999)
    assert refused.value.reason is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_original_of_too_many_pixels_is_refused_before_it_is_decoded(format):
    data = encoded(patches(400, 300), format)
    headers_alone = data[: len(data) // 2]
    with pytest.raises(Refusal) as refused:
        full_of(headers_alone, size=8, max_pixels=7999)
    assert refused.value.reason is Reason.TOO_MANY_PIXELS


# Colours


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((640, 480), id="landscape"),
        pytest.param((480, 640), id="portrait"),
        pytest.param((500, 500), id="square"),
        pytest.param((60, 40), id="small"),
        pytest.param((2400, 2100), id="large"),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_flat_patches_keep_colour_and_place(format, size):
    assert is_close(centres(seen(encoded(patches(*size), format))), PATCHES)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read(format):
    rendered = make_images(encoded(patches(320, 240), format), recipe())
    assert rendered.header.format == format.lower()
    assert is_close(centres(pixels(rendered["full"].data)), PATCHES)


@pytest.mark.parametrize("picture", [smooth, mosaic])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_full_image_is_close_to_the_careful_reference(format, picture):
    data = encoded(picture(1600, 1200), format)
    reference = opened(data).convert("RGB").resize((341, 256), Image.Resampling.LANCZOS)
    error = ((seen(data) - np.asarray(reference).astype(int)) ** 2).mean()
    assert 10 * math.log10(255**2 / error) >= 40


def test_progressive_jpeg_comes_out_as_the_baseline_one():
    picture = smooth(800, 600)
    baseline, progressive = (encoded(picture, "JPEG", progressive=p) for p in (False, True))
    assert opened(progressive).info["progressive"]
    assert difference(seen(progressive), seen(baseline)) < 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_grey_becomes_three_equal_channels(format):
    full = full_of(encoded(plain(77, mode="L"), format))
    assert opened(full.data).mode == "RGB"
    assert is_close(pixels(full.data), (77, 77, 77), 1)


def test_cmyk_without_profile_is_converted_plainly():
    data = encoded(plain((10, 200, 90, 20), mode="CMYK"), "JPEG")
    assert b"Adobe" in data
    assert is_close(seen(data), [(255 - ink) * (255 - 20) / 255 for ink in (10, 200, 90)])


@pytest.mark.parametrize(
    ("colour", "tone"),
    [
        pytest.param((0, 0, 0, 0), 255, id="no ink is white"),
        pytest.param((0, 0, 0, 255), 0, id="black ink is black"),
    ],
)
def test_cmyk_is_not_inverted(colour, tone):
    assert is_close(seen(encoded(plain(colour, mode="CMYK"), "JPEG")), (tone,) * 3)


def test_jpeg_coded_as_rgb_keeps_its_colours():
    data = encoded(patches(320, 240), "JPEG", keep_rgb=True)
    assert is_close(centres(seen(data)), PATCHES)


# 16 bits


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        pytest.param((32_896,), (128, 128, 128), id="grey"),
        pytest.param((51_400, 25_700, 12_850), ORANGE, id="RGB"),
        pytest.param((32_896, 65_535), (128, 128, 128), id="grey, opaque"),
        pytest.param((32_896, 0), WHITE, id="grey, transparent"),
        pytest.param((51_400, 25_700, 12_850, 65_535), ORANGE, id="RGB, opaque"),
        pytest.param((51_400, 25_700, 12_850, 32_896), (227, 177, 152), id="RGB, half transparent"),
    ],
)
def test_png_of_16_bits_is_scaled(colour, expected):
    data = png_of_16_bits(np.full((200, 300, len(colour)), colour))
    assert data[24] == 16
    assert is_close(seen(data), expected, 1)


# Transparency


def half_transparent(mode, colour):
    """Left half opaque, right half wholly transparent."""
    image = Image.new(mode, (300, 200), (*colour, 255))
    image.paste((*colour, 0), (150, 0, 300, 200))
    return image


def half_of_index_1(palette):
    image = Image.new("P", (300, 200), 0)
    image.putpalette(palette)
    image.paste(1, (150, 0, 300, 200))
    return image


def half_of_key(key):
    image = plain(ORANGE)
    image.paste(key, (150, 0, 300, 200))
    return image


BLUE = (0, 0, 250)
INDEXED = half_of_index_1([*ORANGE, *BLUE])


@pytest.mark.parametrize(
    ("data", "colour"),
    [
        pytest.param(encoded(half_transparent("RGBA", ORANGE)), ORANGE, id="RGBA PNG"),
        pytest.param(encoded(half_transparent("LA", (77,))), (77, 77, 77), id="grey PNG"),
        pytest.param(encoded(INDEXED, transparency=1), ORANGE, id="palette PNG"),
        pytest.param(encoded(INDEXED, transparency=b"\xff\0"), ORANGE, id="palette PNG by table"),
        pytest.param(encoded(half_of_key(BLUE), transparency=BLUE), ORANGE, id="RGB PNG by key"),
        pytest.param(encoded(INDEXED, "GIF", transparency=1), ORANGE, id="GIF"),
        pytest.param(encoded(half_transparent("RGBA", ORANGE), "WEBP"), ORANGE, id="WebP"),
        pytest.param(encoded(half_transparent("RGBA", ORANGE), "TIFF"), ORANGE, id="TIFF"),
    ],
)
def test_transparency_is_laid_on_white(data, colour):
    picture = seen(data)
    assert is_close(picture[:, :180], colour)
    assert is_close(picture[:, -180:], WHITE)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_half_transparency_lets_half_the_white_through(format):
    data = encoded(plain((200, 100, 50, 128), mode="RGBA"), format)
    assert is_close(seen(data), (227, 177, 152))


def test_colours_under_full_transparency_do_not_bleed():
    array = np.zeros((400, 600, 4), np.uint8)
    array[:, ::2] = (*ORANGE, 255)
    array[:, 1::2] = (0, 0, 0, 0)
    assert is_close(seen(encoded(array), size=200)[10:-10, 10:-10], (227, 177, 152))


# Frames


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation_is_taken(format):
    data = encoded(plain(ORANGE), format, save_all=True, append_images=[plain(BLUE)], duration=50)
    assert opened(data).n_frames == 2
    assert is_close(seen(data), ORANGE)


# Colour profiles

P3_OF_SRGB_RED = (234, 51, 35)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_wide_colours_become_srgb(format):
    data = encoded(plain(P3_OF_SRGB_RED), format, icc_profile=wide_profile())
    assert is_close(seen(data), (255, 0, 0))


def test_crop_of_wide_colours_becomes_srgb():
    data = encoded(plain(P3_OF_SRGB_RED), "JPEG", icc_profile=wide_profile())
    assert is_close(pixels(face_of(data, Box(0.1, 0.1, 0.5, 0.5)).data), (255, 0, 0))


@pytest.mark.parametrize(
    "format",
    [
        pytest.param(
            "JPEG",
        ),
        "PNG",
        "TIFF",
    ],
)
def test_grey_profile_is_applied(format):
    linear = grey_profile(gamma=1.0)
    data = encoded(plain(100, mode="L"), format, icc_profile=linear)
    assert is_close(seen(data), (168, 168, 168))


@pytest.mark.parametrize(
    "profile",
    [
        pytest.param(b"broken", id="text"),
        pytest.param(bytes(200), id="zeros"),
        pytest.param(wide_profile()[:300], id="cut short"),
        pytest.param(wide_profile()[:128] + b"\xff" * 300, id="broken table"),
        pytest.param(b"x" * 70_000, id="of two segments"),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_broken_profile_is_ignored_and_noted(format, profile):
    rendered = make_images(encoded(plain(ORANGE), format, icc_profile=profile), recipe())
    assert is_close(pixels(rendered["full"].data), ORANGE)
    assert rendered.notes == (Note.PROFILE_IGNORED,)


@pytest.mark.parametrize("options", [{}, {"icc_profile": wide_profile()}])
def test_there_is_nothing_to_note_of_a_profile_that_counts_or_of_none(options):
    assert make_images(encoded(plain(ORANGE), "JPEG", **options), recipe()).notes == ()


def test_broken_profile_of_cmyk_is_ignored():
    picture = plain((10, 200, 90, 20), mode="CMYK")
    broken, none = encoded(picture, "JPEG", icc_profile=b"broken"), encoded(picture, "JPEG")
    assert difference(seen(broken), seen(none)) <= 3


# Orientation


@orientations
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_picture_is_turned_upright(format, orientation):
    stored = as_stored(patches(480, 320), orientation)
    data = encoded(stored, format, exif=exif(orientation))
    full = full_of(data, size=160)
    assert (full.width, full.height) == (240, 160)
    assert is_close(centres(pixels(full.data)), PATCHES)


@orientations
def test_turned_jpeg_comes_out_as_the_upright_one(orientation):
    picture = smooth(1200, 900)
    turned = as_stored(picture, orientation)
    found = seen(encoded(turned, "JPEG", exif=exif(orientation)))
    assert difference(found, seen(encoded(picture, "JPEG"))) < 1


@pytest.mark.skipif(
    not (IMAGES / "orientation").is_dir(), reason="the shared pictures are not here: orientation"
)
@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize("kind", ["Landscape", "Portrait"])
def test_photo_comes_out_alike_in_every_orientation(kind, number):
    upright, turned = (
        (IMAGES / "orientation" / f"{kind}_{n}.jpg").read_bytes() for n in (1, number)
    )
    assert difference(seen(turned), seen(upright)) < 3


# Damage


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        pytest.param("JPEG", {}, id="JPEG"),
        pytest.param("JPEG", {"progressive": True}, id="progressive JPEG"),
        pytest.param("PNG", {}, id="PNG"),
        pytest.param("GIF", {}, id="GIF"),
        pytest.param("WEBP", {}, id="WebP"),
    ],
)
def test_truncated_file_is_refused(format, options, kept):
    data = encoded(smooth(400, 300), format, **options)
    with pytest.raises(Refusal) as refused:
        full_of(data[: int(len(data) * kept)])
    assert refused.value.reason in {Reason.TRUNCATED, Reason.CORRUPT, Reason.CORRUPT_HEADER}


def test_truncated_jpeg_is_refused_as_truncated():
    data = encoded(smooth(400, 300), "JPEG")
    with pytest.raises(Refusal) as refused:
        full_of(data[: len(data) // 2])
    assert refused.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_truncated_file_is_refused_where_the_crop_alone_is_wanted(format):
    data = encoded(smooth(1600, 1200), format)
    with pytest.raises(Refusal):
        face_of(data[: len(data) // 2], Box(0.1, 0.05, 0.3, 0.2))


def test_junk_between_segments_costs_no_picture():
    data = encoded(patches(320, 240), "JPEG")
    second = 4 + int.from_bytes(data[4:6])
    assert is_close(centres(seen(data[:second] + b"junk" + data[second:])), PATCHES)


def test_junk_after_the_end_costs_no_picture():
    assert is_close(centres(seen(encoded(patches(320, 240), "JPEG") + b"junk")), PATCHES)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_damaged_file_is_made_or_refused(format):
    data = encoded(smooth(160, 120), format)
    random = np.random.default_rng(1)
    for _ in range(40):
        damaged = bytearray(data)
        for at in random.integers(3, len(data), 3):
            damaged[at] = random.integers(256)
        with suppress(Refusal):
            full = make_images(bytes(damaged), recipe(size=64), box=Box(0.7, 0.7, 1, 1))["full"]
            assert opened(full.data).size == (full.width, full.height)


def test_tiff_with_more_channels_than_colours_is_made_or_refused():
    layers = np.full((20, 30, 5), 100, np.uint8)
    data = pyvips.Image.new_from_array(layers).write_to_buffer(".tiff")
    assert result_or_reason(full_of, data)


# The crop

MARKED = (37, 21, 69, 51)
"""The marked region in a picture of 120 x 90."""


def marked(width=120, height=90):
    picture = np.full((height, width, 3), 128, np.uint8)
    left, top, right, bottom = MARKED
    picture[top:bottom, left:right] = ORANGE
    return picture


MARKED_BOX = Box(37 / 120, 21 / 90, 69 / 120, 51 / 90)


@orientations
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_crop_holds_the_marked_region(format, orientation):
    stored = as_stored(marked(), orientation)
    face = face_of(encoded(stored, format, exif=exif(orientation)), MARKED_BOX)
    assert (face.width, face.height) == (32, 30)
    assert is_close(pixels(face.data), ORANGE, 8)


@orientations
def test_crop_lies_as_people_see_it(orientation):
    stored = as_stored(patches(120, 90), orientation)
    data = encoded(stored, "JPEG", exif=exif(orientation))
    face = face_of(data, Box(0.25, 0.25, 0.75, 0.75))
    assert is_close(centres(pixels(face.data)), PATCHES)


def test_crop_is_cut_from_the_original_not_from_the_full_image():
    rendered = make_images(encoded(marked()), recipe(size=10), box=MARKED_BOX)
    assert rendered["full"].height == 10
    assert (rendered["face"].width, rendered["face"].height) == (32, 30)


def test_crop_is_the_same_with_and_without_a_full_image():
    data = encoded(smooth(1200, 900), "JPEG")
    both = make_images(data, recipe(), box=MARKED_BOX)
    assert both["face"].data == face_of(data, MARKED_BOX).data


def test_margin_grows_the_region_on_each_side():
    face = face_of(encoded(marked()), MARKED_BOX, margin=0.5)
    assert (face.width, face.height) == (64, 60)
    picture = pixels(face.data)
    assert is_close(picture[18:42, 19:45], ORANGE, 8)
    assert is_close(picture[:10], (128, 128, 128), 8)


def test_margin_stops_at_the_edges():
    face = face_of(encoded(marked()), MARKED_BOX, margin=10)
    assert (face.width, face.height) == (120, 90)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param(29, (30, 29), id="below the short side"),
        pytest.param(30, (32, 30), id="the short side"),
        pytest.param(500, (32, 30), id="never enlarged"),
    ],
)
def test_crop_is_no_larger_than_wanted(limit, expected):
    face = face_of(encoded(marked()), MARKED_BOX, face_size=limit)
    assert (face.width, face.height) == expected
    assert is_close(pixels(face.data), ORANGE, 8)


@bad_boxes
def test_bad_box_leaves_the_full_image_and_says_why(box, reason):
    rendered = make_images(encoded(marked()), recipe(), box=box)
    assert "full" in rendered.pictures
    assert "face" not in rendered.pictures
    assert rendered.refused.reason is reason


def test_good_box_is_not_refused():
    assert make_images(encoded(marked()), recipe(), box=MARKED_BOX).refused is None


OTHERS = (
    Output("bust", "busts", HeadBox(0.5), ShortSide(24, at_most=True)),
    Output("tiny", "tinies", Whole(), ShortSide(16)),
    Output("small", "smalls", Whole(), ShortSide(40), Encoding(quality=60)),
    Output("same", "sames", Whole(), ShortSide()),
)
"""Further outputs: another region, two other sizes of the whole, and the whole as it is."""


@pytest.mark.parametrize("format", FORMATS)
def test_any_number_of_outputs_is_made_each_of_its_region_size_and_encoding(format):
    data = encoded(marked(), format)
    rendered = make_images(data, replace(recipe(size=30), others=OTHERS), box=MARKED_BOX)
    sizes = {name: min(image.width, image.height) for name, image in rendered.pictures.items()}
    assert sizes == {"full": 30, "face": 30, "bust": 24, "tiny": 16, "small": 40, "same": 90}
    for name, quality in (("full", 100), ("bust", 90), ("small", 60)):
        expected = opened(encoded(patches(8, 8), "JPEG", quality=quality)).quantization
        assert opened(rendered[name].data).quantization == expected


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("exact", [False, True])
def test_an_output_is_the_same_whatever_others_are_made_beside_it(format, exact):
    data = encoded(smooth(700, 500), format)
    several = replace(recipe(size=30, exact=exact), others=OTHERS)
    crops, wholes = ["face", "bust"], ["full", "tiny", "small", "same"]
    for names, box in ((crops, Box(0.25, 0.25, 0.5, 0.75)), (wholes, None)):
        together = make_images(data, several, names, box=box).pictures
        assert [*together] == [output.name for output in several.outputs if output.name in names]
        for name in names:
            assert make_images(data, several, [name], box=box)[name] == together[name]


def test_nothing_is_made_that_is_not_wanted():
    data = encoded(marked())
    assert "face" not in make_images(data, recipe()).pictures
    assert "full" not in make_images(data, recipe(), ["face"], box=MARKED_BOX).pictures


# The same bytes


BOXES = {"good": MARKED_BOX} | {name: box for name, (box, _) in BAD_BOXES.items()}


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_exact_full_image_is_the_same_with_and_without_a_crop(format, box):
    data = encoded(smooth(1200, 900), format)
    exact = recipe(exact=True)
    assert make_images(data, exact, box=box)["full"].data == make_images(data, exact)["full"].data


@pytest.mark.parametrize("format", FORMATS)
def test_same_original_gives_the_same_bytes(format):
    data = encoded(smooth(640, 480), format)
    first, second = (make_images(data, recipe(), box=MARKED_BOX) for _ in range(2))
    assert (first["full"].data, first["face"].data) == (second["full"].data, second["face"].data)


# Encoding


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(1, 1), (9, 1), (1, 9)])
def test_a_single_row_is_made_however_it_is_turned(size, orientation):
    data = encoded(plain(ORANGE, size), "JPEG", exif=exif(orientation))
    assert is_close(seen(data, size=1), ORANGE)


@pytest.mark.parametrize("quality", [1, 75, 90, 100])
def test_outputs_have_the_quality_wanted(quality):
    data = encoded(smooth(640, 480))
    rendered = make_images(data, recipe(quality=quality), box=MARKED_BOX)
    expected = opened(encoded(patches(8, 8), "JPEG", quality=quality)).quantization
    assert opened(rendered["full"].data).quantization == expected
    assert opened(rendered["face"].data).quantization == expected


@pytest.mark.parametrize(("subsampling", "expected"), [("4:4:4", 0), ("4:2:0", 2)])
def test_outputs_have_the_subsampling_wanted(subsampling, expected):
    data = encoded(smooth(640, 480))
    rendered = make_images(data, recipe(subsampling=subsampling), box=MARKED_BOX)
    assert get_sampling(opened(rendered["full"].data)) == expected
    assert get_sampling(opened(rendered["face"].data)) == expected


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_outputs_carry_neither_orientation_nor_profile(format):
    data = encoded(plain(ORANGE), format, exif=exif(6), icc_profile=wide_profile())
    rendered = make_images(data, recipe(), box=MARKED_BOX)
    for output in (rendered["full"], rendered["face"]):
        assert not {"exif", "icc_profile"} & opened(output.data).info.keys()


# Outputs where libjpeg-turbo is missing

BOX = Box(0.25, 0.25, 0.5, 0.75)
SMALLER = {"quality": 75, "subsampling": "4:2:0"}
MAKE_ALL = """
import sys
from pathlib import Path
from dafre_fast.pixels.decoders.turbo import turbo
from tests.pixels.test_making import BOX, SMALLER, face_of, full_of

assert type(turbo()).__name__ == sys.argv[2]
for path in Path(sys.argv[1]).glob("*.original"):
    data = path.read_bytes()
    path.with_suffix(".full").write_bytes(full_of(data).data)
    path.with_suffix(".face").write_bytes(face_of(data, BOX, **SMALLER).data)
"""
ORIGINALS = {
    "JPEG": encoded(smooth(1200, 900), "JPEG", quality=90),
    "JPEG, 4_2_0": encoded(smooth(1200, 900), "JPEG", quality=90, subsampling="4:2:0"),
    "JPEG, progressive": encoded(smooth(1200, 900), "JPEG", quality=90, progressive=True),
    "JPEG, large": encoded(patches(2400, 2100), "JPEG"),
    "JPEG, small": encoded(patches(60, 40), "JPEG"),
    "JPEG, turned": encoded(smooth(1200, 900), "JPEG", exif=exif(6)),
    "JPEG, grey": encoded(plain(77, mode="L"), "JPEG"),
    "JPEG, CMYK": encoded(plain((10, 200, 90, 20), mode="CMYK"), "JPEG"),
    "JPEG, wide": encoded(plain(P3_OF_SRGB_RED), "JPEG", icc_profile=wide_profile()),
    "PNG": encoded(smooth(640, 480)),
    "PNG, transparent": encoded(half_transparent("RGBA", ORANGE)),
    "PNG, large": encoded(smooth(1600, 1200)),
    "PNG, turned": encoded(smooth(640, 480), exif=exif(6)),
    "PNG, wide": encoded(plain(P3_OF_SRGB_RED), icc_profile=wide_profile()),
}


def made_without(missing, folder, way):
    """Outputs of `ORIGINALS` by a process that cannot import some modules."""
    for module in missing:
        (folder / f"{module}.py").write_text("raise ImportError('not here')\n")
    for name, data in ORIGINALS.items():
        (folder / f"{name}.original").write_bytes(data)
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-c", MAKE_ALL, str(folder), way],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def made_without_turbo(tmp_path_factory):
    """Folder of the outputs of `ORIGINALS` by a process that finds no libjpeg-turbo."""
    folder = tmp_path_factory.mktemp("without turbo")
    return made_without(["turbojpeg", "simplejpeg"], folder, "NoneType")


@pytest.fixture(scope="module")
def made_by_wheels(tmp_path_factory):
    """Folder of the outputs of `ORIGINALS` by a process that finds libjpeg-turbo in wheels only."""
    pytest.importorskip("simplejpeg")
    return made_without(["turbojpeg"], tmp_path_factory.mktemp("wheels"), "_OfWheels")


@pytest.mark.skipif(type(turbo()).__name__ != "_OfSystem", reason="the system has no libturbojpeg")
@pytest.mark.parametrize("name", ORIGINALS)
def test_outputs_have_the_same_bytes_whether_libjpeg_turbo_is_the_systems_or_in_wheels(
    made_by_wheels, name
):
    data, path = ORIGINALS[name], made_by_wheels / name
    assert path.with_suffix(".full").read_bytes() == full_of(data).data
    assert path.with_suffix(".face").read_bytes() == face_of(data, BOX, **SMALLER).data


@pytest.fixture(params=ORIGINALS)
def both_ways(request, made_without_turbo):
    """The outputs of one original, each with and without libjpeg-turbo."""
    data, path = ORIGINALS[request.param], made_without_turbo / request.param
    return [
        (full_of(data).data, path.with_suffix(".full").read_bytes()),
        (face_of(data, BOX, **SMALLER).data, path.with_suffix(".face").read_bytes()),
    ]


def test_outputs_are_alike_without_turbo(both_ways):
    for one, other in both_ways:
        assert difference(pixels(one), pixels(other)) < 2


def test_outputs_are_encoded_alike_without_turbo(both_ways):
    for one, other in (map(opened, pair) for pair in both_ways):
        assert other.quantization == one.quantization
        assert get_sampling(other) == get_sampling(one)
        assert not {"exif", "icc_profile"} & other.info.keys()
