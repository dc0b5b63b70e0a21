"""One filter for every lane: the same picture saved in every format gives the same outputs."""

import math
from functools import cache

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageFilter

from dafre_fast.pixels.making import show_images
from tests.pixels.pictures import encoded, png_of_16_bits, recipe

SMALL, LARGE = (200, 150), (560, 420)


@cache
def picture(size):
    """Soft noise from 0 to 255 in at most 200 colours, so that a palette holds them."""
    width, height = size
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    soft = np.asarray(Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.3))).astype(float)
    low, high = soft.min(), soft.max()
    stretched = Image.fromarray(((soft - low) * 255 / (high - low)).astype(np.uint8))
    return stretched.quantize(200, dither=Image.Dither.NONE)


def with_alpha(image):
    """The same picture with an alpha that lets no white through."""
    image = image.convert("RGBA")
    image.putalpha(255)
    return image


def in_16_bits(image):
    array = np.asarray(image).astype(np.uint16) * 257
    return png_of_16_bits(array if array.ndim == 3 else array[..., None])


def interlaced(image):
    array = np.asarray(image.convert("RGB"))
    return pyvips.Image.new_from_array(array).pngsave_buffer(interlace=True)


COLOURS = {
    "PNG": lambda image: encoded(image.convert("RGB")),
    "PNG with alpha": lambda image: encoded(with_alpha(image)),
    "PNG, interlaced": interlaced,
    "PNG with a palette": encoded,
    "PNG with a palette and alpha": lambda image: encoded(image, transparency=bytes([255] * 200)),
    "PNG of 16 bits": lambda image: in_16_bits(image.convert("RGB")),
    "PNG of 16 bits with alpha": lambda image: in_16_bits(with_alpha(image)),
    "GIF": lambda image: encoded(image, "GIF"),
    "BMP": lambda image: encoded(image.convert("RGB"), "BMP"),
    "BMP with a palette": lambda image: encoded(image, "BMP"),
    "TIFF": lambda image: encoded(image.convert("RGB"), "TIFF"),
    "TIFF with alpha": lambda image: encoded(with_alpha(image), "TIFF"),
    "WebP": lambda image: encoded(image.convert("RGB"), "WEBP", method=0),
    "WebP with alpha": lambda image: encoded(with_alpha(image), "WEBP", method=0),
    "JPEG as RGB": lambda image: encoded(image.convert("RGB"), "JPEG", keep_rgb=True),
    "JPEG": lambda image: encoded(image.convert("RGB"), "JPEG"),
    "AVIF": lambda image: encoded(
        image.convert("RGB"), "AVIF", quality=100, subsampling="4:4:4", speed=9
    ),
}
GREYS = {
    "PNG": lambda image: encoded(image.convert("L")),
    "PNG with alpha": lambda image: encoded(image.convert("LA")),
    "PNG of 16 bits": lambda image: in_16_bits(image.convert("L")),
    "JPEG": lambda image: encoded(image.convert("L"), "JPEG"),
    "BMP": lambda image: encoded(image.convert("L"), "BMP"),
    "TIFF": lambda image: encoded(image.convert("L"), "TIFF"),
    "TIFF with alpha": lambda image: encoded(image.convert("LA"), "TIFF"),
}


def psnr(one, other):
    error = ((one.astype(float) - other.astype(float)) ** 2).mean()
    return 10 * math.log10(255**2 / max(error, 1e-9))


def distance(data, image, mode):
    """Distance in dB of the full image from the careful one: the whole picture by Pillow."""
    found = show_images(data, recipe())["full"][..., :3]
    height, width = found.shape[:2]
    careful = image.convert(mode).resize((width, height), Image.Resampling.LANCZOS)
    return psnr(found, np.asarray(careful.convert("RGB")))


@pytest.mark.parametrize("name", COLOURS)
def test_a_small_picture_is_enlarged_alike_in_every_format(name):
    image = picture(SMALL)
    assert distance(COLOURS[name](image), image, "RGB") >= 44


@pytest.mark.parametrize("name", GREYS)
def test_a_small_grey_picture_is_enlarged_alike_in_every_format(name):
    image = picture(SMALL)
    assert distance(GREYS[name](image), image, "L") >= 44


@pytest.mark.parametrize("name", COLOURS)
def test_a_large_picture_is_shrunk_alike_in_every_format(name):
    image = picture(LARGE)
    assert distance(COLOURS[name](image), image, "RGB") >= 40


@pytest.mark.parametrize("name", GREYS)
def test_a_large_grey_picture_is_shrunk_alike_in_every_format(name):
    image = picture(LARGE)
    assert distance(GREYS[name](image), image, "L") >= 40


def test_alpha_is_enlarged_by_the_same_filter():
    """Of half-transparent pixels on white, the PNG of the fast lane and the others are one."""
    image = picture(SMALL).convert("RGBA")
    image.putalpha(picture(SMALL).convert("L"))
    made = [
        show_images(data, recipe())["full"][..., :3]
        for data in (
            encoded(image),
            encoded(image, "WEBP", exact=True, method=0),
            encoded(image, "TIFF"),
        )
    ]
    assert psnr(made[0], made[1]) >= 50
    assert psnr(made[0], made[2]) >= 50


def test_an_image_without_loss_is_enlarged_to_the_same_bytes_in_every_format():
    image = picture(SMALL)
    lossless = ("PNG", "PNG with a palette", "GIF", "BMP", "TIFF", "WebP", "PNG of 16 bits")
    made = {name: show_images(COLOURS[name](image), recipe())["full"][..., :3] for name in lossless}
    for name in lossless:
        np.testing.assert_array_equal(made[name], made["PNG"], err_msg=name)
