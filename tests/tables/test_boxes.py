import os
import re
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dafre_fast.tables.boxes import parse_boxes, parse_ids

# The slow and obvious model: what a line means, by regular expression and float().
_NUMBER = r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?0*[0-9]{1,18})?)"
_SEPARATOR = r"(?: +,? *|, *)"
_BOX = re.compile(_SEPARATOR.join([_NUMBER] * 5))
_PATH = re.compile(r"(?:[0-9]+[/\\])?0*([0-9]{1,18})\.[0-9A-Za-z]+")


def model_of_box(line: str) -> list[float] | None:
    match = _BOX.fullmatch(line)
    numbers = [float(number) for number in match.groups()] if match else [float("inf")]
    return numbers if all(abs(number) <= 1e30 for number in numbers) else None


def model_of_id(line: str) -> int:
    match = _PATH.fullmatch(line)
    return int(match[1]) if match else -1


def parsed(*lines: str) -> tuple[np.ndarray, list[bool]]:
    boxes = parse_boxes("\n".join(lines).encode(), len(lines))
    return np.column_stack([boxes.xyxy, boxes.confidence]), boxes.valid.tolist()


def ids(*lines: str) -> list[int]:
    return parse_ids("\n".join(lines).encode(), len(lines)).tolist()


_letters = st.text("0123456789.,-+eE \t/\\abcn", max_size=40)
_nearly_number = st.one_of(
    st.from_regex(_NUMBER, fullmatch=True), st.text("0123456789.-+eEn", max_size=6)
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
_exact_box = st.builds(
    lambda numbers, between, before_last: between.join(numbers[:4]) + before_last + numbers[4],
    st.lists(_exact_number, min_size=5, max_size=5),
    st.sampled_from([", ", ",", " "]),
    st.sampled_from([" ", ",", ", "]),
)


@settings(deadline=None)
@given(st.lists(st.one_of(_letters, _nearly_box, _exact_box), min_size=1, max_size=8))
def test_any_text_is_read_as_the_slow_model_reads_it(lines):
    expected = [model_of_box(line) for line in lines]
    numbers, valid = parsed(*lines)
    assert valid == [box is not None for box in expected]
    whole = np.array([box or [np.nan] * 5 for box in expected]).astype(np.float32)
    np.testing.assert_allclose(numbers, whole, rtol=2e-7, atol=2e-45)  # one step of float32


@settings(deadline=None)
@given(st.lists(_exact_box, min_size=1, max_size=8))
def test_a_number_of_up_to_15_digits_is_the_nearest_float32(lines):
    numbers, valid = parsed(*lines)
    assert all(valid)
    assert numbers.tolist() == [
        [float(np.float32(number)) for number in re.split("[, ]+", line)] for line in lines
    ]


@settings(deadline=None)
@given(st.lists(st.one_of(_letters, _nearly_path), min_size=1, max_size=8))
def test_any_path_is_read_as_the_slow_model_reads_it(lines):
    assert ids(*lines) == [model_of_id(line) for line in lines]


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
    numbers, valid = parsed(line)
    assert valid == [True]
    assert numbers.tolist() == [[0.25, 0.5, 0.75, 1.0, 0.875]]


@pytest.mark.parametrize(
    "digits", ["0.9374031234", "0.123456789012345678901234567890", "0.00000000000000000000093740"]
)
def test_long_confidence_digits_are_read_whole(digits):
    numbers, _ = parsed(f"0.1, 0.2, 0.3, 0.4 {digits}")
    assert numbers[0, 4] == np.float32(digits)


def test_a_negative_edge_is_a_number():
    numbers, valid = parsed("-0.25, -.5, 0.75, 1.0 0.875")
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
        pytest.param("0.1, 0.2, 0.3, 0.4 0.9 ", id="space behind"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_line_that_is_no_box_is_nan_and_leaves_its_neighbours_alone(line):
    numbers, valid = parsed("1, 2, 3, 4 5", line, "6, 7, 8, 9 10")
    assert valid == [True, False, True]
    assert np.isnan(numbers[1]).all()
    assert numbers[[0, 2]].tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]


@pytest.mark.parametrize(("number", "read"), [("1e30", True), ("1.0001e30", False)])
def test_a_number_too_large_for_float32_is_no_box(number, read):
    assert parsed(f"0, 0, 0, {number} 1")[1] == parsed(f"0, 0, 0, -{number} 1")[1] == [read]


@pytest.mark.parametrize(
    ("path", "image_id"),
    [
        (r"0446\332446.jpg", 332446),
        ("0446/332446.jpg", 332446),
        ("332446.png", 332446),
        ("0446/332446.JPEG", 332446),
        ("0000/999999999999999999.jpg", 999_999_999_999_999_999),  # 18 digits, the most
        ("0000/1000000000000000000.jpg", -1),
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


@pytest.mark.parametrize("parse", [parse_boxes, parse_ids])
@pytest.mark.parametrize("announced", [0, 1, 3, 1000])
def test_another_number_of_lines_than_announced_raises(parse, announced):
    with pytest.raises(ValueError, match=f"2 lines .* {announced} "):
        parse(b"a\nb", announced)


def test_empty_text_is_one_line_without_anything_in_it():
    assert ids("") == [-1]
    assert parsed("")[1] == [False]
    with pytest.raises(ValueError, match=r"1 lines .* 0 "):
        parse_boxes(b"", 0)
