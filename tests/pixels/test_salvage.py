"""Files that break off: refused, or what is there of them kept on white, and marked."""

import re
import zlib

import numpy as np
import pytest
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.core.records import Box
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import (
    difference,
    encoded,
    exif,
    pixels,
    recipe,
    result_or_reason,
    smooth,
)

WIDTH, HEIGHT = 320, 256
NOISE = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
"""Its files grow evenly from row to row."""
UPPER, LOWER = Box(0.25, 0.0, 0.75, 0.25), Box(0.25, 0.75, 0.75, 1.0)


def part_of(data, share):
    return data[: int(len(data) * share)]


def kept(data, *, box=None):
    return make_images(data, recipe(truncated="keep"), box=box)


def idat_bytes(data):
    """Bytes of all IDAT chunks, of the last one as far as it is there."""
    found, at = b"", 8
    while at + 8 < len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        found += data[at + 8 : end] if data[at + 4 : at + 8] == b"IDAT" else b""
        at = end + 4
    return found


def white_rows(image):
    return (pixels(image.data).reshape(image.height, -1).min(axis=1) > 250).sum()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_rows_that_are_there_are_kept_and_the_rest_is_white(format, share):
    whole = encoded(NOISE, format)
    full = kept(part_of(whole, share))["full"]
    missing = white_rows(full)
    assert abs(missing - (1 - share) * HEIGHT) <= 24
    there = HEIGHT - missing - 8  # libjpeg's last rows mix with what is not there
    expected = pixels(make_images(whole, recipe())["full"].data)[:there]
    assert difference(pixels(full.data)[:there], expected) < 2


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_kept_picture_is_marked_and_its_rows_are_counted(format):
    rendered = kept(part_of(encoded(NOISE, format), 0.5))
    assert rendered.notes == (Note.TRUNCATED,)
    assert f"of {HEIGHT} stored rows" in rendered.detail


def test_a_whole_file_is_not_marked():
    rendered = kept(encoded(NOISE, "JPEG"))
    assert (rendered.notes, rendered.detail) == ((), "")


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_files_that_break_off_are_refused_unless_they_are_to_be_kept(format):
    with pytest.raises(Refusal) as refused:
        make_images(part_of(encoded(NOISE, format), 0.5), recipe())
    assert refused.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_file_without_a_single_row_is_refused_all_the_same(format):
    data = encoded(NOISE, format)
    header = data.index(b"\xff\xda") + 14 if format == "JPEG" else data.index(b"IDAT") + 12
    assert result_or_reason(kept, data[:header]) is Reason.TRUNCATED


def test_a_file_damaged_in_the_middle_is_not_kept():
    data = bytearray(encoded(NOISE, "PNG"))
    data[len(data) // 2] ^= 255
    assert result_or_reason(kept, bytes(data)) is Reason.CORRUPT


def test_whole_scans_of_a_progressive_file_are_kept():
    whole = encoded(smooth(WIDTH, HEIGHT), "JPEG", progressive=True, quality=90)
    rendered = kept(part_of(whole, 0.8))
    assert rendered.notes == (Note.TRUNCATED,)
    assert "scans" in rendered.detail
    expected = pixels(make_images(whole, recipe())["full"].data)
    assert difference(pixels(rendered["full"].data), expected) < 5


def test_rows_of_the_first_scan_of_a_progressive_file_are_kept():
    whole = encoded(smooth(WIDTH, HEIGHT), "JPEG", progressive=True)
    scan = [found.start() for found in re.finditer(b"\xff\xda", whole)]
    full = kept(whole[: (scan[0] + scan[1]) // 2])["full"]
    there = HEIGHT - white_rows(full)
    assert HEIGHT // 3 < there < HEIGHT
    sharp = there - 16  # libjpeg smooths the two rows of blocks beside those that are missing
    expected = pixels(make_images(whole, recipe())["full"].data)
    assert difference(pixels(full.data)[:sharp], expected[:sharp]) < 4


def test_a_progressive_file_without_a_row_of_blocks_is_refused():
    whole = encoded(smooth(WIDTH, HEIGHT), "JPEG", progressive=True)
    first_scan = whole.index(b"\xff\xda")
    assert result_or_reason(kept, whole[: first_scan + 20]) is Reason.TRUNCATED


@pytest.mark.parametrize("mode", ["RGB", "P", "L", "1", "RGBA"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_every_row_of_a_png_that_is_there_is_kept(mode, share):
    picture = Image.fromarray(NOISE).convert(mode)
    data = part_of(encoded(picture, "PNG"), share)
    bits = {"RGB": 24, "P": 8, "L": 8, "1": 1, "RGBA": 32}[mode]
    lines = len(zlib.decompressobj().decompress(idat_bytes(data))) // (1 + WIDTH * bits // 8)
    assert f"{lines} of {HEIGHT} stored rows" in kept(data).detail


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_every_row_of_blocks_of_a_jpeg_that_is_there_is_kept(subsampling, share):
    whole = encoded(NOISE, "JPEG", subsampling=subsampling)
    full = kept(part_of(whole, share))["full"]
    there = HEIGHT - white_rows(full)
    blocks = 16 if subsampling == "4:2:0" else 8
    assert there % blocks == 0
    assert share * HEIGHT - there <= 1.5 * blocks
    found, expected = pixels(full.data), pixels(make_images(whole, recipe())["full"].data)
    assert difference(found[: there - 1], expected[: there - 1]) < 2


@pytest.mark.parametrize("interlace", [False, True])
def test_rows_of_a_gif_are_kept(interlace):
    picture = Image.fromarray(NOISE).convert("L")
    data = encoded(picture, "GIF", interlace=interlace)
    rendered = kept(part_of(data, 0.6))
    rows = int(rendered.detail.split()[2])
    assert abs(rows - 0.6 * HEIGHT) < 8
    assert white_rows(rendered["full"]) == (0 if interlace else HEIGHT - rows)
    expected = pixels(make_images(data, recipe())["full"].data)
    there = slice(0, HEIGHT, 4) if interlace else slice(0, rows)  # two passes, and a part
    assert difference(pixels(rendered["full"].data)[there], expected[there]) < 2


def test_zeros_with_which_a_file_was_filled_up_are_no_rows():
    data = part_of(encoded(NOISE, "JPEG"), 0.5)
    assert kept(data + bytes(100_000)).detail == kept(data).detail


def test_a_webp_that_breaks_off_is_refused_since_its_library_shows_nothing():
    assert result_or_reason(kept, part_of(encoded(NOISE, "WEBP"), 0.9)) is Reason.TRUNCATED


def test_a_head_in_the_rows_that_are_there_is_cut():
    rendered = kept(part_of(encoded(NOISE, "PNG"), 0.5), box=UPPER)
    whole = make_images(encoded(NOISE, "PNG"), recipe(), box=UPPER)
    assert rendered["face"].data == whole["face"].data


def test_a_head_in_the_rows_that_are_missing_is_refused_and_the_full_image_made():
    rendered = kept(part_of(encoded(NOISE, "PNG"), 0.5), box=LOWER)
    assert "face" not in rendered.pictures
    assert rendered.refused.reason is Reason.TRUNCATED
    assert "full" in rendered.pictures


def test_the_missing_rows_are_those_of_the_stored_picture_however_it_is_turned():
    data = part_of(encoded(NOISE, "JPEG", exif=exif(6)), 0.5)
    full = kept(data)["full"]
    columns = pixels(full.data).min(axis=(0, 2)) > 250
    assert columns[:40].all()  # stored at the bottom, seen on the left
    assert not columns[-40:].any()
