"""Distance of the encoded pixels from the careful reference: the whole file decoded by Pillow and
resized from its full size. Real pictures, where available, and drawn ones.
"""

import math
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import pyvips
from PIL import Image

from dafre_fast.core.settings.images import FullImage, Recipe
from dafre_fast.pixels.decoders import choose
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.making import make_images
from dafre_fast.sample.cast import Kind, portraits
from dafre_fast.sample.originals import encode
from tests.pixels.pictures import IMAGES, opened, plan_of

SHORT = 256
REAL = sorted((IMAGES / "real").glob("*.*"))
DRAWN = [
    (Kind.JPEG, 500, 700),
    (Kind.JPEG, 770, 600),
    (Kind.JPEG, 1009, 1201),
    (Kind.JPEG, 1500, 1700),
    (Kind.JPEG, 2100, 1600),
    (Kind.PROGRESSIVE, 640, 700),
    (Kind.PROGRESSIVE, 1111, 900),
    (Kind.PROGRESSIVE, 1700, 2000),
    (Kind.PNG, 555, 700),
    (Kind.PNG, 1301, 1100),
    (Kind.PNG_ALPHA, 700, 900),
    (Kind.PNG_ALPHA, 1400, 1200),
]
"""Kind, width and height of each drawn picture."""


class Sample(NamedTuple):
    """One picture: the careful reference, and for each way of making it its distance from that in
    dB; sizes of the encoded full image, ours and that of the reference by libvips, in bytes.
    """

    default: float
    exact: float
    libvips: float
    size: int
    reference_size: int


def psnr(one, other):
    error = ((one.astype(float) - other.astype(float)) ** 2).mean()
    return 10 * math.log10(255**2 / error) if error else 99.0


def careful(data, width, height):
    image = opened(data)
    if "A" in image.getbands():
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))


def made(data, recipe):
    """The pixels that go to the encoder."""
    header = read_header(data)
    assert header.orientation == 1
    return choose.decode(data, header, plan_of(header, recipe))["full"][..., :3]


def thumbnail(data, width, height):
    image = pyvips.Image.thumbnail_buffer(data, width, height=height, size="force").copy_memory()
    if image.hasalpha():
        image = image.flatten(background=255)
    return image.colourspace("srgb").cast("uchar").numpy()


def encoded_by_libvips(pixels):
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    return image.jpegsave_buffer(Q=90, subsample_mode="on", keep="none")


def sampled(data):
    found = made(data, Recipe())
    height, width = found.shape[:2]
    reference = careful(data, width, height)
    return Sample(
        psnr(found, reference),
        psnr(made(data, Recipe(full=FullImage(exact=True))), reference),
        psnr(thumbnail(data, width, height), reference),
        len(make_images(data, Recipe())["full"].data),
        len(encoded_by_libvips(reference)),
    )


@cache
def real_samples():
    files = [path.read_bytes() for path in REAL]
    return [sampled(data) for data in files if min(read_header(data).stored) >= SHORT]


@cache
def drawn_samples():
    drawn = [
        replace(portrait, kind=kind, width=width, height=height)
        for portrait, (kind, width, height) in zip(portraits(), DRAWN, strict=False)
    ]
    return [sampled(encode(portrait)) for portrait in drawn]


@pytest.fixture(
    params=[
        pytest.param(drawn_samples, id="drawn"),
        pytest.param(
            real_samples,
            id="real",
            marks=pytest.mark.skipif(not REAL, reason="the shared pictures are not here: real"),
        ),
    ]
)
def samples(request):
    columns = zip(*request.param(), strict=True)
    return Sample(*(np.array(column, float) for column in columns))


def test_full_images_are_near_the_careful_ones(samples):
    assert samples.default.mean() >= 48


def test_nine_of_ten_full_images_are_near_the_careful_ones(samples):
    assert np.percentile(samples.default, 10) >= 44


def test_no_full_image_is_far_from_the_careful_one(samples):
    assert samples.default.min() >= 36


def test_exact_full_images_are_at_least_as_near_as_those_of_libvips(samples):
    assert samples.exact.mean() >= samples.libvips.mean() - 1


def test_exact_full_images_are_nearer_than_those_with_shortcuts(samples):
    assert samples.exact.mean() >= samples.default.mean()


def test_encoded_images_are_as_large_as_those_of_the_careful_ones(samples):
    assert samples.size.sum() / samples.reference_size.sum() == pytest.approx(1, abs=0.05)
