import os
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.tables.kernels.row_lines import (
    BLANK,
    GOOD,
    UNREAD,
    FaceLines,
    parse_faces,
    parse_tags,
)
from tests.tables import models


def faces(*lines: bytes | str) -> FaceLines:
    return parse_faces(text_of(*lines))


def text_of(*lines: bytes | str) -> np.ndarray:
    whole = b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    return np.frombuffer(whole + b"\n", np.uint8)


def boxes(*lines: str) -> tuple[np.ndarray, list[bool]]:
    rows = faces(*(f"1.jpg\t5\t{line}" for line in lines))
    return rows.numbers.T, (rows.states == GOOD).tolist()


def ids(*paths: str) -> list[int]:
    return faces(*(f"{path}\t5\t0, 0, 1, 1 1" for path in paths)).ids.tolist()


_letters = st.text("0123456789.,-+eE \t/\\abcn", max_size=40)
_nearly_number = st.one_of(
    st.from_regex(models.NUMBER, fullmatch=True), st.text("0123456789.-+eEn", max_size=6)
)
_nearly_separator = st.sampled_from([" ", ",", ", ", " , ", "   ", "", ",,", "\t", ", ,", "/"])
_nearly_box = st.tuples(
    *[_nearly_number, st.one_of(st.just(", "), _nearly_separator)] * 4, _nearly_number
).map("".join)
_nearly_path = st.from_regex(r"[0-9]{0,5}[/\\]{0,2}[0-9]{0,20}\.?[0-9a-zA-Z.]{0,4}", fullmatch=True)

_exact_number = st.one_of(  # at most 15 significant digits
    st.builds(
        lambda digits, places: f"{Decimal(digits).scaleb(-places):f}",
        st.integers(-(10**15) + 1, 10**15 - 1),
        st.integers(0, 15),
    ),
    st.builds(
        lambda digits, letter, power: f"{digits}{letter}{power}",
        st.integers(-(10**15) + 1, 10**15 - 1),
        st.sampled_from(["e", "E", "e+0", "e-0"]),
        st.integers(0, 15),
    ),
)
_exact_share = st.integers(0, 10**15).map(lambda digits: f"{Decimal(digits).scaleb(-15):f}")
_exact_box = st.builds(
    lambda numbers, between, before_last, last: between.join(numbers) + before_last + last,
    st.lists(_exact_number, min_size=4, max_size=4),
    st.sampled_from([", ", ",", " "]),
    st.sampled_from([" ", ",", ", "]),
    _exact_share,
)
_blanks = st.text(" \t\r", max_size=3).map(str.encode)
_nearly_face = st.builds(
    lambda path, tag, box, blanks: f"{path}\t{tag}\t{box}".encode() + blanks,
    st.one_of(_nearly_path, st.sampled_from([r"0446\332446.jpg", "332446.png"])),
    st.one_of(st.just("5"), st.from_regex(r"[0-9+-]{0,20}", fullmatch=True)),
    st.one_of(_nearly_box, _exact_box),
    _blanks,
)
_nearly_tag = st.builds(
    lambda name, tag, blanks: f"{name}\t{tag}".encode() + blanks,
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8),
    st.one_of(st.just("5"), st.from_regex(r"[0-9+-]{0,20}", fullmatch=True)),
    _blanks,
)
_any_line = st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))


@given(
    st.lists(st.one_of(_any_line, _letters.map(str.encode), _nearly_face), min_size=1, max_size=8)
)
def test_any_line_of_faces_is_read_as_the_slow_model_reads_it(lines):
    rows, expected = faces(*lines), [models.face(line) for line in lines]
    states = [
        GOOD if row else BLANK if models.is_blank(line) else UNREAD
        for line, row in zip(lines, expected, strict=True)
    ]
    assert rows.states.tolist() == states
    assert rows.ids.tolist() == [row[0] if row else -1 for row in expected]
    assert rows.tag_ids.tolist() == [row[1] if row else -1 for row in expected]
    whole = np.array([row[2] if row else [np.nan] * 5 for row in expected]).astype(np.float32)
    np.testing.assert_allclose(rows.numbers.T, whole, rtol=2e-7, atol=2e-45)  # a step of float32


@given(st.lists(st.one_of(_any_line, _nearly_tag), min_size=1, max_size=8))
def test_any_line_of_tags_is_read_as_the_slow_model_reads_it(lines):
    text = text_of(*lines)
    rows = parse_tags(text)
    for line, state, start, end, tag_id in zip(lines, *rows, strict=True):
        expected = models.tag(line)
        plain = line.isascii()
        assert (state == BLANK) == models.is_blank(line)
        assert (state == GOOD) == (expected is not None and plain)
        if expected:
            assert (text[start:end].tobytes().decode(), tag_id) == expected


@pytest.mark.parametrize("parse", [parse_faces, parse_tags])
@pytest.mark.parametrize(
    ("text", "starts"),
    [
        (b"", []),
        (b"\n", [0]),
        (b"a", [0]),
        (b"a\n", [0]),
        (b"a\nbc", [0, 2]),
        (b"\n\na", [0, 1, 2]),
    ],
)
def test_a_line_ends_in_a_line_feed_or_with_the_text(parse, text, starts):
    assert parse(np.frombuffer(text, np.uint8)).starts.tolist() == starts


@given(st.lists(_exact_box, min_size=1, max_size=8))
def test_a_number_of_up_to_15_digits_is_the_nearest_float32(lines):
    numbers, valid = boxes(*lines)
    assert all(valid)
    assert numbers.tolist() == [
        [float(np.float32(number)) for number in re.split("[, ]+", line)] for line in lines
    ]


@pytest.mark.slow
def test_the_kernels_stay_within_their_arrays(tmp_path):
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    others = ["-k", "not test_the_kernels_stay_within_their_arrays", __file__]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *others]
    run = subprocess.run(command, env=checked, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("0.25, 0.5, 0.75, 1.0 0.875", id="as the real file writes it"),
        pytest.param("0.25,0.5,0.75,1.0,0.875", id="as its README describes it"),
        pytest.param("0.25 0.5 0.75 1 0.875", id="spaces only"),
        pytest.param("0.25  ,  0.5 ,0.75,   1.   .875", id="uneven spaces"),
        pytest.param("25e-2, 5E-1, +0.0075e+2, 0.1e1 875e-3", id="exponents"),
    ],
)
def test_every_way_to_write_a_box_is_read(line):
    numbers, valid = boxes(line)
    assert valid == [True]
    assert numbers.tolist() == [[0.25, 0.5, 0.75, 1.0, 0.875]]


@pytest.mark.parametrize(
    "digits", ["0.9374031234", "0.123456789012345678901234567890", "0.00000000000000000000093740"]
)
def test_long_confidence_digits_are_read_whole(digits):
    numbers, _ = boxes(f"0.1, 0.2, 0.3, 0.4 {digits}")
    assert numbers[0, 4] == np.float32(digits)


def test_a_negative_edge_is_a_number():
    numbers, valid = boxes("-0.25, -.5, 0.75, 1.0 0.875")
    assert valid == [True]
    assert numbers[0, :2].tolist() == [-0.25, -0.5]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("nan, 0.2, 0.3, 0.4 0.9", id="nan"),
        pytest.param("0.1, 0.2, inf, 0.4 0.9", id="inf"),
        pytest.param("0.1, 0.2, 0.3, 0.4 -inf", id="-inf"),
        pytest.param("0.1, 0.2, 0.3, 0.4 1e400", id="overflow"),
        pytest.param("0.1, 0.2, 0.3, 0.4 \uff10.\uff19", id="full-width digits"),
        pytest.param("0.1, 0.2, 0.3, 0.4 0.9_0", id="underscore"),
        pytest.param("0x1, 0.2, 0.3, 0.4 0.9", id="hexadecimal"),
        pytest.param("0.1, 0.2.0, 0.3, 0.4 0.9", id="two points"),
        pytest.param("0.1, ., 0.3, 0.4 0.9", id="point alone"),
        pytest.param("0.1, -, 0.3, 0.4 0.9", id="sign alone"),
        pytest.param("0.1, 1e, 0.3, 0.4 0.9", id="exponent without digits"),
        pytest.param("0.1, , 0.3, 0.4 0.9", id="empty field"),
        pytest.param("0.1\t0.2\t0.3\t0.4\t0.9", id="tabs"),
        pytest.param("0.1-0.2, 0.3, 0.4 0.9", id="no separator before a sign"),
        pytest.param("0.1, 0.2, 0.3, 0.4.9", id="no separator before a point"),
        pytest.param("0.1,, 0.2, 0.3, 0.4 0.9", id="two commas"),
        pytest.param("0.1, 0.2, 0.3, 0.4", id="four numbers"),
        pytest.param("0.1, 0.2, 0.3, 0.4 0.9 0.9", id="six numbers"),
        pytest.param(" 0.1, 0.2, 0.3, 0.4 0.9", id="space before"),
        pytest.param("0.1, 0.2, 0.3, 0.4 0.9,", id="comma behind"),
        pytest.param("0.1, 0.2, 0.3, 0.4 1.000001", id="confidence above 1"),
        pytest.param("0.1, 0.2, 0.3, 0.4 -0.000001", id="confidence below 0"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_line_that_is_no_box_is_nan_and_leaves_its_neighbours_alone(line):
    numbers, valid = boxes("1, 2, 3, 4 0.5", line, "6, 7, 8, 9 1")
    assert valid == [True, False, True]
    assert np.isnan(numbers[1]).all()
    assert numbers[[0, 2]].tolist() == [[1, 2, 3, 4, 0.5], [6, 7, 8, 9, 1]]


@pytest.mark.parametrize(("number", "read"), [("1e30", True), ("1.0001e30", False)])
def test_a_number_too_large_for_float32_is_no_box(number, read):
    assert boxes(f"0, 0, 0, {number} 1")[1] == boxes(f"0, 0, 0, -{number} 1")[1] == [read]


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        (r"0446\332446.jpg", 332446),
        ("0446/332446.jpg", 332446),
        ("332446.png", 332446),
        ("0446/332446.JPEG", 332446),
        ("446/332446.jpg", 332446),
        ("000446/0332446.jpg", 332446),
        ("0000/0.jpg", 0),
        ("0999/999999999999999999.jpg", 999_999_999_999_999_999),  # 18 digits, the most
        ("0000/1000000000000000000.jpg", -1),
        ("9223372036854775808.jpg", -1),
        ("0445/332446.jpg", -1),
        ("1446/332446.jpg", -1),
        ("1000000000000000446/332446.jpg", -1),
        ("18446744073709552062/332446.jpg", -1),
        ("/0446/332446.jpg", -1),
        ("0446//332446.jpg", -1),
        ("0446/332446", -1),
        ("0446/332446.", -1),
        ("0446/-332446.jpg", -1),
        ("0446/332446.tar.gz", -1),
        ("0446/332446.jp@", -1),
        ("0446/332446.jp[", -1),
        ("0446/\uff13.jpg", -1),
    ],
)
def test_an_id_is_read_from_a_plain_path_only(path, image_id):
    assert ids("0001/1.jpg", path, "0002/2.jpg") == [1, image_id, 2]
