import re
import struct
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from dafre_fast.core.errors import Refusal
from dafre_fast.core.formats import Format
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.images import Bounds
from dafre_fast.pixels.decoders import jpeg
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.geometry import Size
from dafre_fast.pixels.header import Header, check_header, exif_orientation
from tests.pixels.pictures import encoded, exif, patches, plain, result_or_reason, wide_profile

SOI, SOF0, SOF1, SOF2, SOF3, SOF9, SOS = 0xD8, 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xDA
APP1, APP2, APP14 = 0xE1, 0xE2, 0xEE
ADOBE_RGB = b"Adobe\0\x64\0\0\0\0\0"
ADOBE_YCC = b"Adobe\0\x64\0\0\0\0\1"
LARGE_PROFILE = np.random.default_rng(1).bytes(150_000)


def segment(marker, body):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def frame(marker=SOF0, width=30, height=20, bits=8, ids=b"\1\2\3"):
    parts = b"".join(bytes([id, 0x11, 0]) for id in ids)
    return segment(marker, struct.pack(">BHHB", bits, height, width, len(ids)) + parts)


def jpeg_of(*segments):
    return b"\xff\xd8" + b"".join(segments) + segment(SOS, bytes(10)) + b"\xff\xd9"


def exif_block(order, *entries):
    """TIFF header and one directory; an entry is tag, type, count and four bytes of value."""
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    head = mark + struct.pack(f"{order}IH", 8, len(entries))
    return head + b"".join(struct.pack(f"{order}HHI4s", *entry) for entry in entries) + bytes(4)


def tag_of_orientation(order, value):
    return 0x0112, 3, 1, struct.pack(f"{order}HH", value, 0)


both_orders = pytest.mark.parametrize(
    "order", [pytest.param("<", id="Intel"), pytest.param(">", id="Motorola")]
)


def test_header_tells_the_stored_size():
    header = jpeg.read_header(encoded(patches(31, 17), "JPEG"))
    assert (header.format, header.stored) == (Format.JPEG, (31, 17))


def test_header_tells_the_size_that_people_see():
    header = jpeg.read_header(encoded(patches(31, 17), "JPEG", exif=exif(6)))
    assert header.size == (17, 31)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_read_from_exif(orientation):
    data = encoded(patches(31, 17), "JPEG", exif=exif(orientation))
    assert jpeg.read_header(data).orientation == orientation


def test_orientation_is_upright_without_exif():
    assert jpeg.read_header(encoded(patches(31, 17), "JPEG")).orientation == 1


@both_orders
def test_orientation_is_read_in_both_byte_orders(order):
    resolution = (0x011A, 5, 1, bytes(4))
    assert exif_orientation(exif_block(order, resolution, tag_of_orientation(order, 7))) == 7


@both_orders
@pytest.mark.parametrize("value", [0, 9, 1536])
def test_orientation_out_of_bounds_is_upright(order, value):
    assert exif_orientation(exif_block(order, tag_of_orientation(order, value))) == 1


@both_orders
def test_exif_without_orientation_is_upright(order):
    assert exif_orientation(exif_block(order, (0x011A, 5, 1, b"\0\6\0\6"))) == 1


@given(st.binary() | st.builds(bytes.__add__, st.sampled_from([b"II*\0", b"MM\0*"]), st.binary()))
def test_broken_exif_gives_an_orientation_all_the_same(block):
    assert 1 <= exif_orientation(block) <= 8


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_size_is_that_of_the_turned_picture_in_other_formats_too(format):
    assert read_header(encoded(patches(31, 17), format, exif=exif(6))).size == (17, 31)


def test_the_first_of_several_exif_blocks_counts():
    blocks = [
        segment(APP1, b"Exif\0\0" + exif_block(">", tag_of_orientation(">", value)))
        for value in (8, 3)
    ]
    assert jpeg.read_header(jpeg_of(*blocks, frame())).orientation == 8


def test_profile_is_read():
    data = encoded(plain((1, 2, 3)), "JPEG", icc_profile=wide_profile())
    assert jpeg.read_header(data).profile == wide_profile()


def test_profile_is_joined_from_all_its_segments():
    data = encoded(plain((1, 2, 3)), "JPEG", icc_profile=LARGE_PROFILE)
    assert data.count(b"ICC_PROFILE\0") == 3
    assert jpeg.read_header(data).profile == LARGE_PROFILE


def test_profile_is_joined_in_the_order_of_its_numbers():
    parts = [segment(APP2, b"ICC_PROFILE\0" + bytes([n, 3]) + b"abc"[n - 1 : n]) for n in (3, 1, 2)]
    assert jpeg.read_header(jpeg_of(*parts, frame())).profile == b"abc"


def test_there_is_no_profile_where_none_is_embedded():
    assert jpeg.read_header(encoded(plain((1, 2, 3)), "JPEG")).profile is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(plain((1, 2, 3)), "JPEG"), id="baseline"),
        pytest.param(encoded(plain((1, 2, 3)), "JPEG", progressive=True), id="progressive"),
        pytest.param(encoded(plain(7, mode="L"), "JPEG"), id="grey"),
        pytest.param(jpeg_of(frame(SOF1)), id="extended"),
        pytest.param(jpeg_of(segment(APP14, ADOBE_YCC), frame()), id="YCbCr by Adobe's marker"),
    ],
)
def test_jpeg_that_all_decoders_read_alike_is_plain(data):
    assert jpeg.read_header(data).plain


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(plain((1, 2, 3, 4), mode="CMYK"), "JPEG"), id="CMYK"),
        pytest.param(encoded(plain((1, 2, 3)), "JPEG", keep_rgb=True), id="RGB by Pillow"),
        pytest.param(jpeg_of(segment(APP14, ADOBE_RGB), frame()), id="RGB by Adobe's marker"),
        pytest.param(jpeg_of(frame(ids=b"RGB")), id="RGB by its components"),
        pytest.param(jpeg_of(frame(SOF3)), id="lossless"),
        pytest.param(jpeg_of(frame(SOF9)), id="arithmetic coding"),
    ],
)
def test_jpeg_that_decoders_read_differently_is_not_plain(data):
    assert not jpeg.read_header(data).plain


@pytest.mark.parametrize(
    ("header", "name"),
    [
        pytest.param(frame(bits=12), "12 bits", id="12 bits"),
        pytest.param(frame(0xC5), "hierarchical", id="hierarchical"),
    ],
)
def test_jpeg_that_no_decoder_here_reads_is_unsupported_by_name(header, name):
    with pytest.raises(Refusal, match=name) as refused:
        jpeg.read_header(jpeg_of(header))
    assert refused.value.reason is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"junk", id="text"),
        pytest.param(bytes(100), id="zeros"),
        pytest.param(b"\xff\xff\xff", id="fill bytes"),
        pytest.param(b"\xff\x00", id="escaped byte"),
        pytest.param(b"\xff\xd0\xff\x01", id="markers without length"),
    ],
)
def test_junk_between_segments_is_skipped(junk):
    orientation = segment(APP1, b"Exif\0\0" + exif_block(">", tag_of_orientation(">", 8)))
    header = jpeg.read_header(jpeg_of(junk, orientation, junk, frame()))
    assert (header.stored, header.orientation) == ((30, 20), 8)


def test_frame_header_within_another_segment_is_not_taken():
    thumbnail = segment(APP1, frame(width=3, height=2))
    assert jpeg.read_header(jpeg_of(thumbnail, frame())).stored == (30, 20)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8\xff", id="magic alone"),
        pytest.param(b"\xff\xd8\xff\xd9", id="end of image"),
        pytest.param(jpeg_of(), id="scan alone"),
        pytest.param(b"\xff\xd8" + frame()[:7], id="frame header cut short"),
        pytest.param(b"\xff\xd8" + segment(SOS, bytes(10)) + frame(), id="frame after the scan"),
        pytest.param(b"\xff\xd8\xff" + bytes(1000), id="zeros"),
    ],
)
def test_jpeg_without_frame_header_is_refused(data):
    with pytest.raises(Refusal) as refused:
        jpeg.read_header(data)
    assert refused.value.reason is Reason.CORRUPT_HEADER


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP", "TIFF"])
def test_other_format_without_a_whole_header_is_refused(format):
    with pytest.raises(Refusal) as refused:
        read_header(encoded(patches(31, 17), format)[:16])
    assert refused.value.reason is Reason.CORRUPT_HEADER


@cache
def real_jpeg():
    return encoded(patches(31, 17), "JPEG", exif=exif(6), icc_profile=wide_profile())


def sizes_in_frame_headers(data):
    """Every size that a frame header states, wherever one may begin."""
    found = re.finditer(rb"(?s)(?=\xff[\xc0-\xc3\xc9-\xcb]..\x08(..)(..))", data)
    return {(int.from_bytes(part[2]), int.from_bytes(part[1])) for part in found}


def assert_is_refused_or_has_a_size_of_the_file(data):
    found = result_or_reason(read_header, data)
    if isinstance(found, Header):
        assert found.format is Format.JPEG
        assert found.stored in sizes_in_frame_headers(data)
        assert 1 <= found.orientation <= 8
    else:
        assert found in {Reason.CORRUPT_HEADER, Reason.UNSUPPORTED_FORMAT, Reason.NOT_AN_IMAGE}


FRAMES = st.builds(
    frame,
    marker=st.sampled_from([SOF0, SOF1, SOF2, SOF3, SOF9]),
    width=st.integers(0, 65_535),
    height=st.integers(0, 65_535),
    bits=st.sampled_from([8, 8, 8, 12]),
)


@given(st.lists(st.binary(max_size=40) | FRAMES, max_size=5))
@example([b"\xe1\0\x08", frame()])  # within another segment, and so no frame
def test_size_among_random_bytes_is_that_of_a_frame_header(parts):
    assert_is_refused_or_has_a_size_of_the_file(b"\xff\xd8\xff" + b"".join(parts))


@given(st.integers(0, len(real_jpeg())))
def test_truncated_file_has_its_whole_header_or_is_refused(length):
    found = result_or_reason(read_header, real_jpeg()[:length])
    if length >= real_jpeg().index(b"\xff\xc0") + len(frame()[:10]):  # as far as the size
        assert (found.stored, found.orientation) == ((31, 17), 6)
        assert found.profile == wide_profile()
    elif length >= 3:
        assert found is Reason.CORRUPT_HEADER
    else:
        assert found is (Reason.NOT_AN_IMAGE if length else Reason.EMPTY_FILE)


def flipped(bits):
    data = bytearray(real_jpeg())
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


SCAN = 8 * (real_jpeg().index(b"\xff\xda") + 14)
"""The first bit of coded data: the scan's header has 14 bytes."""
END = 8 * len(real_jpeg())


@given(st.lists(st.integers(0, END - 1), min_size=1, max_size=5))
def test_size_in_a_file_with_flipped_bits_is_that_of_a_frame_header(bits):
    assert_is_refused_or_has_a_size_of_the_file(flipped(bits))


@given(st.lists(st.integers(SCAN, END - 1), min_size=1, max_size=20))
def test_flipped_bits_of_coded_data_change_nothing_about_the_header(bits):
    assert read_header(flipped(bits)) == read_header(real_jpeg())


AT_MOST = Bounds(max_pixels=600, max_scans=7, max_frames=9, worker_memory=100_000_000)
AS_MUCH_AS_ALLOWED = Header(
    Format.PNG, Size(30, 20), scans=7, frames=9, held=100_000_000, progressive=True
)


def test_header_of_as_much_as_allowed_passes():
    check_header(AS_MUCH_AS_ALLOWED, AT_MOST)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"stored": Size(601, 1)}, Reason.TOO_MANY_PIXELS, id="a pixel too many"),
        pytest.param({"scans": 8}, Reason.TOO_MANY_SCANS, id="a scan too many"),
        pytest.param({"frames": 10}, Reason.TOO_MANY_FRAMES, id="a frame too many"),
        pytest.param({"held": 100_000_001}, Reason.TOO_MUCH_MEMORY, id="a byte too many"),
        pytest.param({"stored": Size(0, 20)}, Reason.CORRUPT_HEADER, id="no width"),
        pytest.param({"stored": Size(30, 0)}, Reason.CORRUPT_HEADER, id="no height"),
    ],
)
def test_header_that_is_not_worth_decoding_is_refused(changes, reason):
    with pytest.raises(Refusal) as refused:
        check_header(replace(AS_MUCH_AS_ALLOWED, **changes), AT_MOST)
    assert refused.value.reason is reason
