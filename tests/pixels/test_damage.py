"""Reasons of damaged files, and oddities that are no damage."""

import pytest

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.decoders.markers import repaired
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import (
    difference,
    encoded,
    opened,
    pixels,
    recipe,
    result_or_reason,
    smooth,
)

PICTURE = smooth(320, 256)
JPEG, PNG = encoded(PICTURE, "JPEG"), encoded(PICTURE, "PNG")


def made(data):
    return make_images(data, recipe())


def reason_of(data):
    with pytest.raises(Refusal) as refused:
        made(data)
    return refused.value.reason, refused.value.detail


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_file_that_breaks_off_is_truncated(format, share):
    data = encoded(PICTURE, format)
    reason, detail = reason_of(data[: int(len(data) * share)])
    assert reason is Reason.TRUNCATED
    assert detail


def test_a_scan_that_ends_early_is_corrupt_though_the_file_is_ended_properly():
    reason, detail = reason_of(JPEG[: len(JPEG) // 2] + b"\xff\xd9")
    assert reason is Reason.CORRUPT
    assert "premature end" in detail


def test_codes_that_do_not_exist_are_corrupt():
    scan = JPEG.index(b"\xff\xda") + 14
    wrong = b"\xfe" * (len(JPEG) - scan - 2)
    reason, _ = reason_of(JPEG[:scan] + wrong + b"\xff\xd9")
    assert reason is Reason.CORRUPT


@pytest.mark.parametrize("interlaced", [False, True])
def test_a_wrong_checksum_of_a_png_is_told_with_the_name_of_its_chunk(interlaced):
    data = bytearray(PNG)
    data[28] = interlaced  # IHDR's checksum is wrong then, and IDAT's anyhow
    data[-20] ^= 1
    reason, detail = reason_of(bytes(data))
    assert reason is Reason.CORRUPT
    assert "IHDR" in detail if interlaced else "IDAT" in detail


def with_junk(data):
    """The file with 100 zero bytes after its first segment."""
    end = 4 + int.from_bytes(data[4:6], "big")
    return data[:end] + bytes(100) + data[end:]


def with_numbers_of_progression(data):
    at = data.index(b"\xff\xda")
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return data[: end - 3] + b"\0\0\0" + data[end:]


ODD = {
    "junk between segments": with_junk(JPEG),
    "a JFIF version that does not exist": JPEG.replace(b"JFIF\0\1", b"JFIF\0\x1d", 1),
    "numbers of progression in a sequential scan": with_numbers_of_progression(JPEG),
    "junk behind the end": JPEG + b"junk" * 100,
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in ODD.items()])
def test_oddities_outside_the_pixels_cost_no_picture(data):
    assert difference(pixels(made(data)["full"].data), pixels(made(JPEG)["full"].data)) < 1


def test_an_oddity_does_not_hide_damage():
    data = with_numbers_of_progression(JPEG)
    assert result_or_reason(made, data[: len(data) // 2] + b"\xff\xd9") is Reason.CORRUPT


@pytest.mark.parametrize("progressive", [False, True])
def test_a_header_without_oddities_stays_as_it_is(progressive):
    data = encoded(PICTURE, "JPEG", progressive=progressive)
    assert repaired(data) == data


def test_a_mended_header_is_read_by_others_alike():
    assert opened(repaired(with_junk(JPEG))).size == opened(JPEG).size
