"""The end of a file: by its structure, whatever stands behind it, and alike for all commands."""

import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Note, Reason
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.decoders.registry import ROWS
from dafre_fast.pixels.making import make_images
from tests.pixels.pictures import difference, encoded, pixels, recipe, result_or_reason, smooth

DRAW = np.random.default_rng(1)
PICTURE = smooth(96, 80)
NOISE = DRAW.integers(0, 256, (80, 96, 3), np.uint8)
CMYK = Image.fromarray(NOISE).convert("CMYK")
FILES = {
    "JPEG": encoded(PICTURE, "JPEG"),
    "JPEG, 4:2:0": encoded(NOISE, "JPEG", subsampling="4:2:0", quality=80),
    "JPEG, progressive": encoded(PICTURE, "JPEG", progressive=True),
    "JPEG, restarts": encoded(NOISE, "JPEG", restart_marker_blocks=6),
    "JPEG, grey": encoded(Image.fromarray(PICTURE).convert("L"), "JPEG"),
    "JPEG, CMYK": encoded(CMYK, "JPEG"),
    "PNG": encoded(PICTURE, "PNG"),
    "PNG, palette": encoded(Image.fromarray(NOISE).convert("P"), "PNG"),
    "GIF": encoded(PICTURE, "GIF"),
    "GIF, in passes": encoded(NOISE, "GIF", interlace=True),
    "WebP": encoded(PICTURE, "WEBP", lossless=False, quality=80),
    "WebP, lossless": encoded(PICTURE, "WEBP"),
    "BMP": encoded(PICTURE, "BMP"),
    "TIFF": encoded(PICTURE, "TIFF"),
    "AVIF": encoded(PICTURE, "AVIF"),
}
"""Whole files, each small."""
ARCHIVE = b"PK\3\4" + DRAW.bytes(20_000)
BEHIND = {
    "a film": b"\0\0\0\x18ftypmp42" + DRAW.bytes(100_000),
    "an archive": ARCHIVE,
    "a JPEG": FILES["JPEG"],
    "half a JPEG": FILES["JPEG"][: len(FILES["JPEG"]) // 2],
    "beginnings of scans": b"\xff\xda" * 300,
    "beginnings of images": b"\xff\xd8" * 300,
    "text": b"saved from the web\n",
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "a trailer of Samsung": b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1SEFH\x6b\0\0\0SEFT",
}

whole_files = pytest.mark.parametrize("name", FILES)


def made(data):
    return make_images(data, recipe(size=80))  # as it is stored: not resized by anyone


def shown(data):
    return pixels(made(data)["full"].data)


@whole_files
def test_a_whole_file_has_no_flaw(name):
    assert ROWS[read_header(FILES[name]).format].flaw(FILES[name]) is None
    assert check_end(FILES[name]) is True


@whole_files
@pytest.mark.parametrize("behind", BEHIND)
def test_what_stands_behind_the_end_says_nothing_about_the_picture(name, behind):
    data = FILES[name] + BEHIND[behind]
    assert check_end(data) is True
    assert made(data).notes == ()
    assert np.array_equal(shown(data), shown(FILES[name]))
    assert read_header(data).scans == read_header(FILES[name]).scans


# Without the end, and yet with all pixels

JPEGS = [name for name in FILES if name.startswith("JPEG")]
TRAILER = DRAW.integers(1, 255, 3000, np.uint8).tobytes()  # has no 0xFF, and no zeros


def without_end(name):
    """Whole pictures without their end marker."""
    data = FILES[name]
    cut = {"JPEG": 2, "PNG": 12, "GIF": 1}.get(name.split(",")[0])
    return data[:-cut]


def is_noted(data, like):
    """True if the picture is made with a note, and looks like that of the whole file."""
    assert check_end(data) is False
    rendered = made(data)
    assert rendered.detail
    assert difference(shown(data), shown(like)) < 1
    return rendered.notes == (Note.MINOR_DAMAGE,)


@pytest.mark.parametrize("name", [*JPEGS, "PNG", "PNG, palette", "GIF", "GIF, in passes"])
def test_a_missing_end_marker_is_a_note(name):
    assert is_noted(without_end(name), FILES[name])


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize(
    "behind",
    [TRAILER, bytes(4096), b"\xff" * 9, b"\xff", ARCHIVE, FILES["JPEG"]],
    ids=["a trailer", "zeros", "ones", "half a marker", "an archive", "a JPEG"],
)
def test_a_missing_end_marker_of_a_jpeg_is_a_note_whatever_stands_in_its_place(name, behind):
    assert is_noted(without_end(name) + behind, FILES[name])


@pytest.mark.parametrize("cut", [1, 4, 5, 11, 16])
def test_a_png_cut_behind_its_pixels_is_noted(cut):
    assert is_noted(FILES["PNG"][:-cut], FILES["PNG"])


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_gif_cut_behind_its_pixels_is_noted(cut):
    assert is_noted(FILES["GIF"][:-cut], FILES["GIF"])


def test_a_gif_of_which_a_later_frame_breaks_off_is_noted():
    frames = [Image.fromarray(one).convert("P") for one in (PICTURE, NOISE, PICTURE[::-1])]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert is_noted(data[: len(data) // 2], encoded(frames[0], "GIF"))


@pytest.mark.parametrize("behind", [b"saved from the web\n", b"\0" * 64, b"\xff" * 20])
def test_a_gif_with_anything_in_place_of_its_trailer_is_noted(behind):
    assert is_noted(FILES["GIF"][:-1] + behind, FILES["GIF"])


def riff_of(data, size):
    return data[:4] + struct.pack("<I", size) + data[8:]


@pytest.mark.parametrize("name", ["WebP", "WebP, lossless"])
@pytest.mark.parametrize("off", [1, -2, None])
def test_a_wrong_size_of_the_container_of_a_webp_is_noted(name, off):
    data = FILES[name]
    assert is_noted(riff_of(data, 0 if off is None else len(data) - 8 + off), data)


def test_a_webp_without_the_padding_of_its_last_chunk_is_noted():
    data = FILES["WebP"]
    chunk = data[12:16] + struct.pack("<I", len(data) - 20 + 1) + data[20:] + b"\0"
    padded = b"RIFF" + struct.pack("<I", 4 + len(chunk) + 1) + b"WEBP" + chunk + b"\0"
    assert made(padded).notes == ()
    assert is_noted(padded[:-1], padded)


def test_a_webp_of_which_metadata_break_off_is_noted():
    exif = Image.Exif()
    exif[0x010E] = "words " * 40
    data = encoded(PICTURE, "WEBP", exif=exif)
    assert is_noted(data[:-100], data)


def chunk(name, body, *, wrong=0):
    return (
        struct.pack(">I", len(body))
        + name
        + body
        + struct.pack(">I", zlib.crc32(name + body) ^ wrong)
    )


@pytest.mark.parametrize("name", ["PNG", "PNG, palette"])
@pytest.mark.parametrize("kind", [b"tEXt", b"iTXt", b"tIME", b"prVt"])
@pytest.mark.parametrize("at", ["before the pixels", "behind them"])
def test_a_wrong_checksum_of_a_chunk_that_may_be_skipped_is_noted(name, kind, at):
    data = FILES[name]
    place = 33 if at == "before the pixels" else len(data) - 12
    mended = data[:place] + chunk(kind, b"Comment\0hello", wrong=1) + data[place:]
    assert is_noted(mended, data)
    assert kind.decode() in made(mended).detail


def test_a_wrong_checksum_of_the_end_is_noted():
    assert is_noted(FILES["PNG"][:-1] + b"\0", FILES["PNG"])


# Restart markers

RESTARTS = {
    "one too far": lambda marker: bytes([0xFF, 0xD0 + (marker[1] + 1) % 8]),
    "three too far": lambda marker: bytes([0xFF, 0xD0 + (marker[1] + 3) % 8]),
    "another marker": lambda _: b"\xff\x53",
}


@pytest.mark.parametrize("damage", RESTARTS)
@pytest.mark.parametrize("number", [0, 4, 8])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_damaged_restart_marker_is_a_note(damage, number, options):
    data = encoded(NOISE, "JPEG", restart_marker_blocks=12, **options)
    first_scan = data.index(b"\xff\xda")
    places = [first_scan + m.start() for m in re.finditer(rb"\xff[\xd0-\xd7]", data[first_scan:])]
    at = places[number]
    damaged = data[:at] + RESTARTS[damage](data[at : at + 2]) + data[at + 2 :]
    rendered = made(damaged)
    assert rendered.notes == (Note.MINOR_DAMAGE,)
    assert difference(pixels(rendered["full"].data), shown(data)) < 1
    assert result_or_reason(check_end, damaged) in {True, False}


def with_damaged_restart(number, damage):
    data = FILES["JPEG, restarts"]
    at = [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data)][number]
    return data[:at] + damage(data[at : at + 2]) + data[at + 2 :]


@pytest.mark.parametrize(
    "damage",
    [lambda marker: b"\xfd" + marker[1:], lambda marker: marker[:1] + b"\0"],
    ids=["its first byte", "its second byte"],
)
@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_restart_marker_that_is_none_any_more_is_a_note(damage, number):
    rendered = made(with_damaged_restart(number, damage))
    assert rendered.notes == (Note.MINOR_DAMAGE,)
    expected = shown(FILES["JPEG, restarts"])
    assert difference(pixels(rendered["full"].data), expected) < 1


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_restart_marker_of_which_nothing_is_left_is_damage(number):
    assert result_or_reason(made, with_damaged_restart(number, lambda _: b"")) is Reason.CORRUPT


def test_a_missing_interval_is_damage_however_restart_markers_are_numbered():
    data = FILES["JPEG, restarts"]
    found = [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data)]
    assert result_or_reason(made, data[: found[3]] + data[found[4] :]) is Reason.CORRUPT


# Headers


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


HEADERS = {
    "a thumbnail": segment(0xE1, b"Exif\0\0" + FILES["JPEG"][:20_000]),
    "half a thumbnail": segment(0xE1, b"Exif\0\0" + FILES["JPEG, progressive"][:3000]),
    "scans in a segment": segment(0xE5, b"\xff\xda" * 3000),
    "an end in a comment": segment(0xFE, b"\xff\xd9\xff\xda\xff\xd9"),
    "fill bytes": b"\xff" * 7,
}


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("header", HEADERS)
def test_what_segments_hold_is_no_end_and_no_scan(name, header):
    data = FILES[name][:2] + HEADERS[header] + FILES[name][2:]
    assert check_end(data) is True
    assert made(data).notes == ()
    assert read_header(data).scans == read_header(FILES[name]).scans
    assert np.array_equal(shown(data), shown(FILES[name]))
    assert result_or_reason(check_end, data[: len(data) * 9 // 10]) is Reason.TRUNCATED


@pytest.mark.parametrize("name", JPEGS)
def test_fill_bytes_may_stand_before_the_end_marker(name):
    data = FILES[name][:-2] + b"\xff" * 5 + b"\xff\xd9"
    assert check_end(data) is True
    assert made(data).notes == ()


def test_a_gif_of_1987_without_a_table_of_colours_is_whole():
    data = encoded(Image.fromarray(PICTURE).convert("P"), "GIF")
    table = 3 << ((data[10] & 7) + 1)
    bare = b"GIF87a" + data[6:10] + bytes([data[10] & 0x7F]) + data[11:13] + data[13 + table :]
    assert check_end(bare) is True
    assert made(bare).header.format is Format.GIF


# Damage


def sub_blocks(data):
    return b"".join(
        bytes([len(part)]) + part
        for at in range(0, len(data), 255)
        if (part := data[at : at + 255])
    )


def test_a_gif_whose_data_ends_early_is_damage_though_its_blocks_end_properly():
    data = FILES["GIF"]
    begin = data.index(b"\x2c", 13 + 3 * 256) + 11
    codes, at = b"", begin
    while data[at]:
        codes, at = codes + data[at + 1 : at + 1 + data[at]], at + 1 + data[at]
    assert data == data[:begin] + sub_blocks(codes) + b"\0;"
    for share in (0.1, 0.5, 0.95):
        cut = data[:begin] + sub_blocks(codes[: int(share * len(codes))]) + b"\0;"
        assert result_or_reason(made, cut) is Reason.CORRUPT


@pytest.mark.parametrize("name", ["JPEG", "JPEG, 4:2:0", "JPEG, progressive", "JPEG, CMYK"])
def test_a_jpeg_filled_up_with_zeros_is_truncated(name):
    data = FILES[name][: len(FILES[name]) // 2] + bytes(100_000)
    assert result_or_reason(made, data) is Reason.TRUNCATED
    assert result_or_reason(check_end, data) is Reason.TRUNCATED


def scans_end(data, count):
    """Where the coded data of the scan `count` ends."""
    found = [match.start() for match in re.finditer(rb"\xff[\xc4\xda\xd9]", data)]
    scans = [at for at in found if data[at + 1] == 0xDA]
    return next(at for at in found if at > scans[count - 1])


def test_a_progressive_jpeg_that_ends_with_one_of_its_first_scans_is_truncated():
    data = FILES["JPEG, progressive"]
    assert data.count(b"\xff\xda") == 10
    for count in range(1, 10):
        assert result_or_reason(made, data[: scans_end(data, count)]) is Reason.TRUNCATED


# One judge


def verdict(function, data):
    try:
        function(data)
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.slow
@whole_files
@given(share=st.floats(0.02, 1), behind=st.sampled_from(["nothing", "a trailer", *BEHIND]))
def test_whoever_judges_a_file_that_is_cut_and_gone_on_with_says_the_same(name, share, behind):
    more = {"nothing": b"", "a trailer": TRAILER} | BEHIND
    data = FILES[name][: int(share * len(FILES[name]))] + more[behind]
    at_download, at_resize = verdict(check_end, data), verdict(made, data)
    if at_download is not None or behind == "nothing":
        assert at_download == at_resize


def test_a_cut_at_any_byte_of_the_end_is_judged_alike():
    for data in FILES.values():
        for cut in range(1, 30):
            assert verdict(check_end, data[:-cut]) == verdict(made, data[:-cut])
