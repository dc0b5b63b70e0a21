"""Transparent colours of every format: converted by what tells them, and laid on white then."""

import io
import struct
import zlib

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

from dafre_fast.core.records import Box
from dafre_fast.pixels.making import show_images
from tests.pixels.pictures import encoded, grey_profile, png_of_16_bits, recipe, wide_profile
from tests.pixels.pngs import chunk, with_chunks

COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (128, 128, 128), (200, 120, 60)]
ALPHAS = [0, 64, 128, 192, 255]
SIDE = 16
"""Pixels of each patch."""
LINEAR = grey_profile(1.0)
GREYS = [(level,) for level, *_ in COLOURS]


def patches(colours=COLOURS):
    """A row for each colour, a column for each alpha: uint8 (height, width, channels)."""
    found = [[(*colour, alpha) for alpha in ALPHAS] for colour in colours]
    return np.array(found, np.uint8).repeat(SIDE, axis=0).repeat(SIDE, axis=1)


def on_white(seen):
    """Of colours in sRGB: what is right for each patch."""
    share = np.array(ALPHAS)[None, :, None] / 255
    return seen[:, None] * share + 255 * (1 - share)


def by_littlecms(profile, colours=COLOURS):
    image = Image.fromarray(
        np.array([colours], np.uint8).squeeze(-1 if len(colours[0]) == 1 else ())
    )
    source, srgb = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    relative = ImageCms.Intent.RELATIVE_COLORIMETRIC
    seen = ImageCms.profileToProfile(image, source, srgb, relative, "RGB")
    return np.asarray(seen)[0].astype(float)


def found(data, **settings):
    """The middle of each patch of the full image in its own size."""
    height = len(COLOURS) * SIDE
    shown = show_images(data, recipe(size=min(height, len(ALPHAS) * SIDE), **settings))
    assert shown.notes in ((), ("truncated",))
    return shown["full"][SIDE // 2 :: SIDE, SIDE // 2 :: SIDE, :3].astype(float)


def is_near(one, other, within=2):
    return np.abs(one - other).max() <= within


RGBA, GREY = Image.fromarray(patches()), Image.fromarray(patches(GREYS), "LA")


def iccp(profile):
    return chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))


def palette_png(profile):
    """An index for each patch."""
    rows, columns = np.mgrid[: len(COLOURS), : len(ALPHAS)]
    indices = (rows * len(ALPHAS) + columns).astype(np.uint8).repeat(SIDE, 0).repeat(SIDE, 1)
    image = Image.fromarray(indices, "P")
    image.putpalette([value for colour in COLOURS for _ in ALPHAS for value in colour])
    return encoded(image, icc_profile=profile, transparency=bytes(ALPHAS * len(COLOURS)))


def tiff(array, profile, *, associated=False):
    kinds = {(np.uint8, 4): "srgb", (np.uint16, 4): "rgb16", (np.uint16, 2): "grey16"}
    image = pyvips.Image.new_from_array(array)
    image = image.copy(interpretation=kinds[array.dtype.type, array.shape[2]])
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    data = bytearray(image.tiffsave_buffer())
    if associated:  # the first kind of extra sample (TIFF 6.0, 18)
        at = data.index(struct.pack("<HHI", 338, 3, 1)) + 8
        data[at : at + 2] = b"\1\0"
    return bytes(data)


def multiplied(array):
    alpha = array[..., 3:].astype(float) / array.max()
    return np.dstack([(array[..., :3] * alpha).round(), array[..., 3:]]).astype(array.dtype)


def bmp_with_profile(profile, array):
    """32 bits with alpha, a header of version 5, the profile behind the pixels."""
    height, width = array.shape[:2]
    rows = array[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    info = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 32, 3, len(rows), 0, 0, 0, 0)
    info += struct.pack("<4I4s48xIIII", *masks, b"DEBM", 4, 124 + len(rows), len(profile), 0)
    head = struct.pack(
        "<2sIII", b"BM", 14 + len(info) + len(rows) + len(profile), 0, 14 + len(info)
    )
    return head + info + rows + profile


def in_16_bits(array):
    return array.astype(np.uint16) * 257


P3 = wide_profile()
WIDE = {
    "PNG": encoded(RGBA, icc_profile=P3),
    "PNG of 16 bits": with_chunks(png_of_16_bits(in_16_bits(patches())), iccp(P3)),
    "PNG with a palette": palette_png(P3),
    "WebP": encoded(RGBA, "WEBP", icc_profile=P3, exact=True),
    "TIFF": encoded(RGBA, "TIFF", icc_profile=P3),
    "TIFF of 16 bits": tiff(in_16_bits(patches()), P3),
    "TIFF, multiplied": tiff(multiplied(patches()), P3, associated=True),
    "TIFF of 16 bits, multiplied": tiff(multiplied(in_16_bits(patches())), P3, associated=True),
    "BMP": bmp_with_profile(P3, patches()),
}


@pytest.mark.parametrize("name", WIDE)
def test_wide_colours_are_converted_before_they_are_laid_on_white(name):
    assert is_near(found(WIDE[name]), on_white(by_littlecms(P3)))


def test_wide_colours_of_an_avif_are_converted_first():
    data = encoded(RGBA, "AVIF", icc_profile=P3, quality=100, subsampling="4:4:4")
    assert is_near(found(data), on_white(by_littlecms(P3)), 6)  # AVIF itself loses more than others


def test_wide_colours_of_a_heic_are_converted_first():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(RGBA).save(file, quality=-1, chroma=444, icc_profile=P3)
    assert is_near(found(file.getvalue()), on_white(by_littlecms(P3)), 4)


GREY_16 = in_16_bits(patches(GREYS))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(GREY, icc_profile=LINEAR), id="PNG"),
        pytest.param(with_chunks(png_of_16_bits(GREY_16), iccp(LINEAR)), id="PNG of 16 bits"),
        pytest.param(encoded(GREY, "TIFF", icc_profile=LINEAR), id="TIFF"),
        pytest.param(tiff(GREY_16, LINEAR), id="TIFF of 16 bits"),
    ],
)
def test_grey_is_converted_before_it_is_laid_on_white(data):
    assert is_near(found(data), on_white(by_littlecms(LINEAR, GREYS)))


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(chunk(b"cICP", bytes([12, 13, 0, 1])), id="code points"),
        pytest.param(
            chunk(b"gAMA", struct.pack(">I", 45455))
            + chunk(
                b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
            ),
            id="chromaticities",
        ),
    ],
)
@pytest.mark.parametrize("data", [encoded(RGBA), png_of_16_bits(in_16_bits(patches()))])
def test_colours_told_by_numbers_are_converted_first_too(data, told):
    assert is_near(found(with_chunks(data, told)), on_white(by_littlecms(P3)))


def test_a_crop_is_converted_first_too():
    box = Box(0.2, 0.2, 0.8, 0.8)
    whole, beside = encoded(RGBA, icc_profile=P3), recipe(size=80)
    both = show_images(whole, beside, box=box)
    left, top = SIDE, round(0.2 * len(COLOURS) * SIDE)
    height, width = both["face"].shape[:2]
    expected = both["full"][top : top + height, left : left + width]
    assert is_near(both["face"].astype(int), expected, 0)


def test_rows_that_are_kept_of_a_truncated_file_are_converted_first():
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 4), np.uint8)
    data = encoded(np.vstack([patches(), noise]), icc_profile=P3)
    shown = show_images(data[: len(data) * 9 // 10], recipe(size=80, truncated="keep"))
    assert shown.notes == ("truncated",)
    middles = shown["full"][SIDE // 2 : 6 * SIDE : SIDE, SIDE // 2 :: SIDE, :3].astype(float)
    assert is_near(middles, on_white(by_littlecms(P3)))
    assert (shown["full"][-1] == 255).all()


def test_without_a_profile_that_converts_nothing_changes():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain, tagged = (found(encoded(RGBA, **options)) for options in ({}, {"icc_profile": srgb}))
    assert is_near(plain, on_white(np.array(COLOURS, float)), 1)
    assert is_near(tagged, plain, 0)
