"""HEIC, read through pillow-heif where it is installed, and refused by its name where it is not."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Box
from dafre_fast.pixels.making import make_images, show_images
from tests.pixels.pictures import (
    PATCHES,
    as_stored,
    encoded,
    exif,
    grey_profile,
    is_close,
    patches,
    recipe,
    result_or_reason,
    wide_profile,
)

WIDTH, HEIGHT = 96, 64
COLOUR, OF_P3 = (60, 160, 60), (0, 163, 40)


def box(name, body):
    return struct.pack(">I4s", 8 + len(body), name) + body


def sequence(brand):
    return (
        box(b"ftyp", brand + bytes(4) + brand) + box(b"mdat", bytes(50)) + box(b"moov", bytes(50))
    )


# Without pillow-heif


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"mif1", b"heim"])
def test_a_heic_is_refused_by_its_name_with_the_remedy_where_pillow_heif_is_missing(
    monkeypatch, brand
):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(Refusal, match=r"HEIC.*pip install 'dafre_fast\[heic\]'") as refused:
        make_images(box(b"ftyp", brand + bytes(4) + brand) + bytes(100), recipe())
    assert refused.value.reason is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("brand", [b"hevc", b"hevx", b"msf1", b"heis"])
def test_a_sequence_without_a_still_picture_is_refused_as_one(brand):
    with pytest.raises(Refusal, match="sequence") as refused:
        make_images(sequence(brand), recipe())
    assert refused.value.reason is Reason.UNSUPPORTED_FORMAT


def test_whoever_reads_no_heic_does_not_load_pillow_heif():
    script = """
import sys
from dafre_fast.pixels.making import make_images
from dafre_fast.core.settings.images import Recipe
make_images(sys.stdin.buffer.read(), Recipe())
print("pillow_heif" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=encoded(patches(WIDTH, HEIGHT), "AVIF"),
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == [b"False"]


# With it


@pytest.fixture
def heif():
    return pytest.importorskip("pillow_heif")


@pytest.fixture
def heic(heif):
    """Encode pictures as HEIC: one, or several of which one is the primary."""

    def encode(*pictures, **options):
        images = heif.HeifFile()
        for picture in pictures:
            images.add_from_pillow(picture)
        file = io.BytesIO()
        images.save(file, quality=-1, chroma=444, **options)
        return file.getvalue()

    return encode


def picture(mode="RGB"):
    return Image.fromarray(patches(WIDTH, HEIGHT)).convert(mode)


def plain(colour=COLOUR):
    return Image.new("RGBA" if len(colour) == 4 else "RGB", (WIDTH, HEIGHT), colour)


def centres(found):
    height, width = found.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array([found[row, column, :3].astype(int) for row in rows for column in columns])


def seen(data, **settings):
    return show_images(data, recipe(size=HEIGHT, **settings))["full"]


def test_a_heic_is_read(heic):
    rendered = make_images(heic(picture()), recipe())
    assert rendered.header.format == "heic"
    assert (rendered["full"].width, rendered["full"].height) == (384, 256)


def test_its_colours_are_kept(heic):
    assert is_close(centres(seen(heic(picture()))), PATCHES, 2)


def test_a_crop_is_made_of_it(heic):
    shown = show_images(heic(picture()), recipe(size=32), box=Box(0, 0, 0.5, 0.5))
    assert is_close(shown["face"][..., :3].astype(int)[4:-4, 4:-4], PATCHES[0], 2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_upright(heic, orientation):
    stored = Image.fromarray(np.ascontiguousarray(as_stored(patches(WIDTH, HEIGHT), orientation)))
    found = seen(heic(stored, exif=exif(orientation).tobytes()))
    assert found.shape[:2] == (HEIGHT, WIDTH)
    assert is_close(centres(found), PATCHES, 2)


def test_the_primary_picture_is_taken(heic):
    data = heic(picture("L").convert("RGB"), picture(), primary_index=1)
    assert is_close(centres(seen(data)), PATCHES, 2)


def test_its_profile_counts(heic):
    assert is_close(centres(seen(heic(plain(), icc_profile=wide_profile()))), OF_P3, 2)


def test_its_code_points_count(heic):
    data = bytearray(heic(plain()))
    at = data.index(b"nclx") + 4
    data[at : at + 4] = struct.pack(">HH", 12, 13)
    assert is_close(centres(seen(bytes(data))), OF_P3, 2)


def test_its_transparency_is_laid_on_white(heic):
    assert is_close(centres(seen(heic(plain((200, 100, 50, 128))))), (227, 177, 152), 2)


def test_colours_multiplied_by_their_alpha_are_divided_first(heif):
    images = heif.from_pillow(plain((100, 50, 24, 128)))
    images[0].premultiplied_alpha = True
    file = io.BytesIO()
    images.save(file, quality=-1, chroma=444)
    assert is_close(centres(seen(file.getvalue())), (227, 177, 151), 2)


@pytest.mark.parametrize("profile", [None, grey_profile(1.0)])
def test_grey_is_read_with_and_without_a_profile(heic, profile):
    data = heic(Image.new("L", (WIDTH, HEIGHT), 100), icc_profile=profile)
    assert is_close(centres(seen(data)), (168,) * 3 if profile else (100,) * 3, 2)


@pytest.mark.parametrize(("mode", "value"), [("RGB;16", 3), ("I;16L", 1)])
def test_more_than_8_bits_are_scaled(heif, mode, value):
    samples = np.full((HEIGHT, WIDTH, value), 100 * 257, np.uint16)
    file = io.BytesIO()
    heif.from_bytes(mode, (WIDTH, HEIGHT), samples.tobytes()).save(file, quality=-1, chroma=444)
    assert is_close(centres(seen(file.getvalue())), (100,) * 3, 1)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_heic_that_breaks_off_is_refused(heic, kept):
    data = heic(picture())
    found = result_or_reason(make_images, data[: int(len(data) * kept)], recipe())
    assert found in {Reason.CORRUPT, Reason.CORRUPT_HEADER, Reason.TRUNCATED}


def test_a_heif_of_a_codec_that_is_not_read_is_unsupported(heic):
    data = heic(picture()).replace(b"hvc1", b"vvc1")
    assert result_or_reason(make_images, data, recipe()) is Reason.UNSUPPORTED_FORMAT


@pytest.mark.usefixtures("heif")
def test_a_heif_of_av1_that_does_not_say_so_is_unsupported():
    data = encoded(picture(), "AVIF").replace(b"avif", b"mif1", 2)
    assert result_or_reason(make_images, data, recipe()) is Reason.UNSUPPORTED_FORMAT


def test_a_heic_of_too_many_pixels_is_refused_before_it_is_decoded(heic):
    found = result_or_reason(make_images, heic(picture()), recipe(size=8, max_pixels=6000))
    assert found is Reason.TOO_MANY_PIXELS


def test_the_number_of_threads_of_the_host_stays(heif, heic):
    before = heif.options.DECODE_THREADS
    seen(heic(picture()))
    assert before == heif.options.DECODE_THREADS


def test_damage_is_made_or_refused(heic):
    data, random = heic(picture()), np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(data)
        for at in random.integers(12, len(data), 3):
            damaged[at] = random.integers(256)
        assert result_or_reason(make_images, bytes(damaged), recipe(size=16))
