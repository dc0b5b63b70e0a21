"""Scans as they stand in the file: components, first and last coefficient, and the bit before and
after (ITU-T T.81, B.2.3; 0 before: the first scan of these coefficients).
"""

import math
import re

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from dafre_fast.core.records import Box
from dafre_fast.pixels.decoders import jpeg
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.decoders.scans import without_refinements
from dafre_fast.pixels.decoders.turbo import turbo
from tests.pixels.pictures import encoded, mosaic, opened, plan_of, recipe, result_or_reason, smooth

LUMA = 1
SCAN = re.compile(rb"\xff\xda..([\1-\3])", re.DOTALL)

by_turbo = pytest.mark.skipif(turbo() is None, reason="no libjpeg-turbo on this machine")


def scans_of(data):
    """(components, first, last, before, after) of each scan."""
    found = []
    for match in SCAN.finditer(data):
        at, count = match.end(), match[1][0]
        components = tuple(data[at + 2 * i] for i in range(count))
        first, last, bits = data[at + 2 * count : at + 2 * count + 3]
        found.append((components, first, last, bits >> 4, bits & 15))
    return found


def textured(width, height):
    """Soft waves, hard edges and paper grain: something for every coefficient."""
    grain = np.random.default_rng(1).normal(0, 6, (height, width, 1))
    return np.clip(
        0.7 * smooth(width, height) + 0.3 * mosaic(width, height) + grain, 0, 255
    ).astype(np.uint8)


def progressive(picture, quality=90, **options):
    return encoded(
        picture,
        "JPEG",
        **{"quality": quality, "subsampling": "4:2:0", "progressive": True} | options,
    )


LARGE = textured(1600, 1200)
FILE = progressive(LARGE)
SMALL_FILE = progressive(textured(96, 72))
LAST = ((LUMA,), 1, 63, 1, 0)
LAST_BUT_ONE = ((LUMA,), 1, 63, 2, 1)


def left_out(data, scale):
    kept = scans_of(without_refinements(data, scale))
    return [scan for scan in scans_of(data) if scan not in kept]


# Which scans


def test_file_has_the_scans_that_libjpeg_writes():
    assert len(scans_of(FILE)) == 10
    assert {LAST, LAST_BUT_ONE} < set(scans_of(FILE))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        pytest.param(0.5, [], id="enlarged"),
        pytest.param(1, [], id="the same size"),
        pytest.param(1.5, [], id="a little smaller"),
        pytest.param(3, [LAST], id="a third"),
        pytest.param(8, [LAST_BUT_ONE, LAST], id="an eighth"),
        pytest.param(1e9, [LAST_BUT_ONE, LAST], id="a point"),
    ],
)
def test_more_luma_refinements_are_left_out_the_smaller_the_picture_becomes(scale, expected):
    assert left_out(FILE, scale) == expected


@pytest.mark.parametrize(
    ("quality", "expected"),
    [
        pytest.param(98, [LAST_BUT_ONE, LAST], id="fine"),
        pytest.param(90, [LAST], id="as usual"),
        pytest.param(60, [], id="coarse"),
    ],
)
def test_more_luma_refinements_are_left_out_the_finer_the_quantisation(quality, expected):
    assert left_out(progressive(textured(160, 120), quality), 3) == expected


@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"restart_marker_rows": 1}])
def test_all_other_scans_stay_as_they_are(options):
    data = progressive(textured(160, 120), **options)
    expected = [scan for scan in scans_of(data) if scan not in {LAST, LAST_BUT_ONE}]
    assert scans_of(without_refinements(data, 100)) == expected


def test_grey_loses_its_refinements_too():
    data = progressive(Image.fromarray(textured(160, 120)).convert("L"))
    assert left_out(data, 100) == [LAST_BUT_ONE, LAST]


def test_nothing_but_the_scans_is_left_out():
    short = without_refinements(SMALL_FILE, 100)
    head = SMALL_FILE.index(b"\xff\xda")
    assert short[:head] == SMALL_FILE[:head]
    assert short.endswith(b"\xff\xd9")
    assert len(short) < len(SMALL_FILE)


# Files that come back as they are


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(textured(96, 72), "JPEG", quality=90), id="baseline"),
        pytest.param(SMALL_FILE[:-2], id="without its end"),
        pytest.param(SMALL_FILE[: len(SMALL_FILE) // 2], id="half"),
        pytest.param(SMALL_FILE[: SMALL_FILE.index(b"\xff\xda")], id="headers alone"),
        pytest.param(SMALL_FILE.replace(b"\xff\xdb\0\x43", b"\xff\xfe\0\x43"), id="no tables"),
        pytest.param(without_refinements(SMALL_FILE, 100), id="nothing left to leave out"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xd8\xff\xd9", id="a beginning and an end"),
    ],
)
def test_file_with_nothing_to_leave_out_comes_back_as_it_is(data):
    assert without_refinements(data, 100) == data


# Files that still are pictures


@by_turbo
@pytest.mark.parametrize("scale", [3, 100])
@pytest.mark.parametrize("eighths", [1, 2, 4, 8])
def test_shortened_file_is_decoded_without_a_warning(scale, eighths):
    short = without_refinements(FILE, scale)
    assert len(short) < len(FILE)
    assert jpeg.read_pixels(short, read_header(FILE).stored, eighths).any()


def psnr(one, other):
    error = ((np.asarray(one, float) - np.asarray(other, float)) ** 2).mean()
    return 10 * math.log10(255**2 / error)


def reduced(data, scale):
    image = opened(data).convert("RGB")
    size = (round(image.width / scale), round(image.height / scale))
    return image.resize(size, Image.Resampling.LANCZOS)


@pytest.mark.parametrize("scale", [2.5, 4, 6.25, 12])
@pytest.mark.parametrize("quality", [80, 90, 95])
def test_shortened_file_looks_like_the_whole_one_at_the_reduced_size(quality, scale):
    data = progressive(LARGE, quality)
    short = without_refinements(data, scale)
    if short != data:
        assert psnr(reduced(short, scale), reduced(data, scale)) >= 44


# When it is done


def decoded(data, *, box=None, exact=False, whole=False):
    """The sources of both outputs; `whole`: as if the file were not progressive."""
    header = read_header(data)
    if whole:
        header = msgspec.structs.replace(header, progressive=False)
    plan = plan_of(header, recipe(size=160, exact=exact), box=box)
    return jpeg.decode(data, header, plan)


def is_same(one, other):
    return np.array_equal(one.pixels, other.pixels)


@by_turbo
def test_full_image_alone_is_made_without_refinements():
    assert not is_same(decoded(FILE)["full"], decoded(FILE, whole=True)["full"])


@by_turbo
def test_exact_full_image_is_made_from_the_whole_file():
    found, expected = (decoded(FILE, exact=True, whole=whole) for whole in (False, True))
    assert is_same(found["full"], expected["full"])


@by_turbo
@pytest.mark.parametrize("exact", [False, True])
def test_both_outputs_are_made_from_the_whole_file_where_a_face_is_wanted(exact):
    box = Box(0.2, 0.2, 0.6, 0.7)
    found, expected = (decoded(FILE, box=box, exact=exact, whole=whole) for whole in (False, True))
    assert is_same(found["full"], expected["full"])
    assert is_same(found["face"], expected["face"])


@by_turbo
def test_file_that_breaks_off_within_a_scan_left_out_is_refused_all_the_same():
    assert result_or_reason(decoded, FILE[: FILE.rindex(b"\xff\xda") + 100]) == "truncated"


# Whatever the bytes are

scales = st.floats(0, 1e6)
jpeg_like = st.lists(
    st.binary(max_size=12)
    | st.builds(
        lambda marker, body: bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body,
        st.sampled_from([0xC2, 0xDA, 0xDB, 0xC4, 0xD9]),
        st.binary(max_size=80),
    )
).map(lambda parts: b"\xff\xd8" + b"".join(parts) + b"\xff\xd9")


@given(st.binary() | jpeg_like, scales)
@example(b"\xff\xd8\xff\xc2\0\0\xff\xda\0\0\xff\xd9", 1.0)
@example(b"\xff\xd8\xff", 1.0)
def test_any_bytes_come_back_no_longer(data, scale):
    assert len(without_refinements(data, scale)) <= len(data)


@given(st.data(), scales)
def test_any_change_of_a_file_comes_back_no_longer(data, scale):
    changed = bytearray(SMALL_FILE)
    places = st.integers(0, len(SMALL_FILE) - 1)
    for at, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=20)):
        changed[at] = byte
    begin, end = sorted(data.draw(st.tuples(places, places)))
    del changed[begin : begin + (end - begin) % 200]
    assert len(without_refinements(bytes(changed), scale)) <= len(changed)
