"""What tells the colours of a file, format by format, and what counts where several do."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Note
from dafre_fast.pixels.decoders import boxes, pillow, vips
from dafre_fast.pixels.decoders.boxes import code_points
from dafre_fast.pixels.header import Space
from dafre_fast.pixels.making import show_images
from dafre_fast.pixels.profiles import of_code_points
from tests.pixels.pictures import encoded, grey_profile, png_of_16_bits, recipe, wide_profile
from tests.pixels.pngs import chunk, with_chunks

COLOUR = (60, 160, 60)
OF_P3 = (0, 163, 40)
OF_LINEAR = (133, 208, 133)
OF_SRGB = COLOUR
P3, SRGB, LINEAR, UNKNOWN = (12, 13), (1, 13), (1, 8), (99, 13)
WHITE_TO_BLUE = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
"""Chromaticities of Display P3."""


def plain(colour=COLOUR):
    return np.full((20, 30, len(colour)), colour, np.uint8)


def seen(data):
    shown = show_images(data, recipe(size=20))
    return shown["full"][10, 10, :3].astype(int), shown.notes


def cicp(points, matrix=0, full=1):
    return chunk(b"cICP", bytes([*points, matrix, full]))


def iccp(profile):
    return chunk(b"iCCP", b"x\0\0" + zlib.compress(profile))


def gama(gamma):
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


CHRM = chunk(b"cHRM", struct.pack(">8I", *WHITE_TO_BLUE))
STATED_SRGB = chunk(b"sRGB", b"\0")


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([cicp(P3)], OF_P3, id="code points"),
        pytest.param(
            [gama(1), CHRM, iccp(wide_profile()), cicp(SRGB)], OF_SRGB, id="cICP is first"
        ),
        pytest.param([gama(1), STATED_SRGB, iccp(wide_profile())], OF_P3, id="then iCCP"),
        pytest.param([gama(1), STATED_SRGB], OF_SRGB, id="then sRGB"),
        pytest.param([gama(1)], OF_LINEAR, id="then gAMA"),
        pytest.param([CHRM, gama(0.45455)], OF_P3, id="with cHRM"),
        pytest.param([CHRM], OF_SRGB, id="cHRM alone says nothing"),
        pytest.param([gama(0.45455)], OF_SRGB, id="the gamma of sRGB"),
        pytest.param([iccp(wide_profile()), cicp(UNKNOWN)], OF_P3, id="unknown code points"),
        pytest.param([iccp(wide_profile()), cicp(SRGB, matrix=1)], OF_P3, id="cICP of YCbCr"),
        pytest.param([iccp(wide_profile()), cicp(SRGB, full=0)], OF_P3, id="cICP of narrow range"),
        pytest.param([chunk(b"cICP", b"\x0c"), gama(1)], OF_LINEAR, id="cICP cut short"),
        pytest.param([chunk(b"gAMA", b"\0\0")], OF_SRGB, id="gAMA cut short"),
        pytest.param([gama(1), chunk(b"cHRM", bytes(7))], OF_LINEAR, id="cHRM cut short"),
    ],
)
@pytest.mark.parametrize(
    "data", [encoded(plain()), png_of_16_bits(plain().astype(np.uint16) * 257)], ids=["8", "16"]
)
def test_chunks_of_a_png_count_in_their_order(data, chunks, expected):
    found, notes = seen(with_chunks(data, *chunks))
    assert np.abs(found - expected).max() <= 2
    assert notes == ()


@pytest.mark.parametrize("mode", ["P", "L", "LA", "1"])
def test_code_points_and_gamma_count_for_every_kind_of_png(mode):
    """White and a grey of 128: linear light of 188 in sRGB."""
    level = 255 if mode == "1" else 128
    image = Image.new("L", (30, 20), level).convert(mode)
    for told in (cicp(LINEAR), gama(1)):
        found, notes = seen(with_chunks(encoded(image), told))
        assert np.abs(found - (255 if mode == "1" else 188)).max() <= 1
        assert notes == ()


def test_dark_greys_are_as_exact_as_colours():
    """littleCMS converts a grey of 2 by a grey profile to 12; it is 22."""
    expected, _ = seen(with_chunks(encoded(plain((2, 2, 2))), gama(1)))
    found, _ = seen(with_chunks(encoded(Image.new("L", (30, 20), 2)), gama(1)))
    assert found.tolist() == expected.tolist() == [22, 22, 22]


@pytest.mark.parametrize("told", [cicp(UNKNOWN), cicp(P3, full=0), gama(0)])
def test_what_is_not_known_is_taken_for_srgb_and_noted(told):
    found, notes = seen(with_chunks(encoded(plain()), told))
    assert found.tolist() == [*COLOUR]
    assert notes == (Note.PROFILE_IGNORED,)


def test_chunks_behind_the_pixels_do_not_count():
    data = encoded(plain())
    end = data.index(b"IDAT") - 4 + 12 + int.from_bytes(data[data.index(b"IDAT") - 4 :][:4])
    assert seen(data[:end] + cicp(P3) + data[end:])[0].tolist() == [*COLOUR]


# AVIF


def avif(points=None, **options):
    data = bytearray(encoded(plain(), "AVIF", quality=100, subsampling="4:4:4", **options))
    if points:
        at = data.index(b"nclx") + 4
        data[at : at + 4] = struct.pack(">HH", *points)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(avif(P3), OF_P3, id="P3"),
        pytest.param(avif(LINEAR), OF_LINEAR, id="linear"),
        pytest.param(avif(), OF_SRGB, id="sRGB"),
        pytest.param(avif((2, 2)), OF_SRGB, id="nothing said"),
        pytest.param(avif((1, 1)), OF_SRGB, id="as video of BT.709"),
        pytest.param(avif((9, 14)), (0, 169, 29), id="BT.2020"),
        pytest.param(avif(LINEAR, icc_profile=wide_profile()), OF_P3, id="a profile is before"),
    ],
)
def test_code_points_of_an_avif_decide_its_colours(data, expected):
    found, notes = seen(data)
    assert np.abs(found - expected).max() <= 3
    assert notes == ()


@pytest.mark.parametrize("decoder", [pillow, vips])
def test_both_decoders_of_avif_read_code_points(decoder):
    header = decoder.read_header(avif(P3), Format.AVIF)
    assert (header.profile, header.space) == (of_code_points(*P3), Space.RGB)


def test_unknown_code_points_of_an_avif_are_noted():
    assert seen(avif(UNKNOWN))[1] == (Note.PROFILE_IGNORED,)


def box(name, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full_box(name, *parts, version=0, flags=0):
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def colr(points):
    return box(b"colr", b"nclx", struct.pack(">HHHB", *points, 0, 128))


def meta(primary, properties, associations, *, version=0, wide=False):
    """Items (number, indices of properties) and the properties, as HEIF has them."""
    number, index = ">I" if version else ">H", ">H" if wide else ">B"
    entries = [
        struct.pack(number, item)
        + bytes([len(indices)])
        + b"".join(struct.pack(index, one) for one in indices)
        for item, indices in associations
    ]
    count = struct.pack(">I", len(entries))
    ipma = full_box(b"ipma", count, *entries, version=version, flags=int(wide))
    pitm = full_box(b"pitm", struct.pack(number, primary), version=version)
    return full_box(b"meta", pitm, box(b"iprp", box(b"ipco", *properties), ipma))


FTYP = box(b"ftyp", b"avif\0\0\0\0avif")
OTHER = box(b"ispe", bytes(12))


@pytest.mark.parametrize("wide", [False, True], ids=["short indices", "wide indices"])
@pytest.mark.parametrize("version", [0, 1], ids=["short numbers", "wide numbers"])
def test_the_code_points_of_the_primary_item_count(version, wide):
    essential = 0x8000 if wide else 0x80
    items = [(1, [1, 2]), (7, [1, essential | 3])]
    properties = [OTHER, colr(LINEAR), colr(P3)]
    data = FTYP + meta(7, properties, items, version=version, wide=wide)
    assert code_points(data) == P3


def test_a_profile_beside_the_code_points_is_skipped():
    properties = [box(b"colr", b"prof", bytes(200)), colr(P3)]
    assert code_points(FTYP + meta(1, properties, [(1, [1, 2])])) == P3


def test_a_box_of_a_long_size_is_read():
    boxed = meta(1, [colr(P3)], [(1, [1])])
    long = struct.pack(">I4sQ", 1, b"meta", len(boxed) + 8) + boxed[8:]
    assert code_points(FTYP + long) == P3


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(FTYP, id="no meta"),
        pytest.param(FTYP + meta(1, [OTHER], [(1, [1])]), id="no colr"),
        pytest.param(FTYP + meta(1, [colr(P3)], [(2, [1])]), id="of another item"),
        pytest.param(FTYP + meta(1, [colr(P3)], [(1, [0, 9])]), id="indices of nothing"),
        pytest.param(FTYP + box(b"mdat", meta(1, [colr(P3)], [(1, [1])])), id="within pixels"),
    ],
)
def test_there_are_no_code_points_where_none_are_the_primary_items(data):
    assert code_points(data) is None
    assert boxes.profile(data) is None


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
def test_boxes_that_are_damaged_or_cut_give_code_points_or_none(at, value, length):
    data = bytearray(avif(P3)[:400])
    data[min(at, len(data) - 1)] = value
    found = code_points(bytes(data[:length]))
    assert found is None or len(found) == 2


# BMP


def bmp(profile=b"", *, version=124, space=b"DEBM", start=None, size=None):
    rows = plain()[::-1, :, ::-1]
    pixels = np.pad(rows.reshape(20, -1), ((0, 0), (0, -90 % 4))).tobytes()
    info = struct.pack("<IiiHHIIiiII", version, 30, 20, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    info = info.ljust(56, b"\0") + space.ljust(56, b"\0")
    begin = 124 + len(pixels) if start is None else start
    info += struct.pack("<III", begin, len(profile) if size is None else size, 0)
    info = info[:version]
    whole = 14 + len(info) + len(pixels) + len(profile)
    return struct.pack("<2sIII", b"BM", whole, 0, 14 + len(info)) + info + pixels + profile


def test_the_profile_of_a_bmp_decides_its_colours():
    found, notes = seen(bmp(wide_profile()))
    assert np.abs(found - OF_P3).max() <= 1
    assert notes == ()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bmp(wide_profile(), space=b" niW"), id="the space of Windows"),
        pytest.param(bmp(wide_profile(), space=b"KNIL"), id="a profile by its path"),
        pytest.param(bmp(wide_profile(), version=108), id="a header of version 4"),
        pytest.param(bmp(wide_profile(), version=40), id="a header of version 3"),
    ],
)
def test_other_bmps_are_srgb(data):
    found, notes = seen(data)
    assert found.tolist() == [*COLOUR]
    assert notes == ()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(bmp(wide_profile(), start=4_000_000_000), id="beyond the file"),
        pytest.param(bmp(wide_profile(), size=0), id="of no bytes"),
        pytest.param(bmp(wide_profile()[:200]), id="cut short"),
        pytest.param(bmp(grey_profile(1.0)), id="for grey"),
    ],
)
def test_a_broken_profile_of_a_bmp_is_ignored_and_noted(data):
    found, notes = seen(data)
    assert found.tolist() == [*COLOUR]
    assert notes == (Note.PROFILE_IGNORED,)
