"""Text columns of faces.tsv to arrays: jitted parsers over a column's bytes, a line per row.

Boxes: the real faces.tsv writes `left, top, right, bottom confidence`; its README describes
`left,top,right,bottom,confidence`. Both are read, and nothing else: a number is decimal digits
with at most one point and an optional exponent; signs are read so that a negative edge is a
number (to be judged with the picture at hand), and `nan` or `inf` are not numbers.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

_NEWLINE, _SPACE, _COMMA, _POINT, _ZERO, _NINE = 10, 32, 44, 46, 48, 57
_MINUS, _PLUS, _UPPER_E, _LOWER_E, _SLASH, _BACKSLASH = 45, 43, 69, 101, 47, 92


class Boxes(NamedTuple):
    """N parsed boxes: `xyxy` float32 (N, 4) in shares of width and height, order left, top,
    right, bottom; `confidence` float32 (N,); `valid` bool (N,), False where the text is not a box
    (its numbers are then NaN).
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    valid: NDArray[np.bool_]


def parse_boxes(text: bytes, rows: int) -> Boxes:
    """Parse `rows` lines of text, one box a line, separated by newlines.

    Raises ValueError where the text has not as many lines.
    """
    boxes = Boxes(
        np.empty((rows, 4), np.float32), np.empty(rows, np.float32), np.empty(rows, np.bool_)
    )
    lines = parse_into(np.frombuffer(text, np.uint8), *boxes)
    if lines != rows:
        raise ValueError(f"{lines} lines of boxes where {rows} were announced")
    return boxes


def parse_ids(text: bytes, rows: int) -> NDArray[np.int64]:
    """Image ids int64 (rows,) from lines such as `0446\\332446.jpg`; -1 where a line is no path of
    one optional folder of digits and a file named by its id, so that nothing else gets in.

    Raises ValueError where the text has not as many lines.
    """
    ids = np.empty(rows, np.int64)
    lines = ids_into(np.frombuffer(text, np.uint8), ids)
    if lines != rows:
        raise ValueError(f"{lines} lines of paths where {rows} were announced")
    return ids


_Text = "Array(uint8, 1, 'C', readonly=True)"
_POWERS = np.array([float(f"1e{power}") for power in range(309)])
_ZERO_POINT, _HEAD = np.uint64(0x3030303030302E30), np.uint64(0xFFFF)
_SIX, _HIGH = np.uint64(0x0606060606060000), np.uint64(0xF0F0F0F0F0F00000)
_PAIR = np.uint64(0x000000FF000000FF)
_UPPER_WEIGHTS = np.uint64(100 + (1_000_000 << 32))
_LOWER_WEIGHTS = np.uint64(1 + (10_000 << 32))
_LARGEST = 1e30
"""A number beyond this is no box; it would leave the range of float32."""


# Indices are unsigned throughout: numba then leaves out the check for negative ones, which costs
# a third of the time. Helpers have no signature, so that a start with a warm cache loads the two
# entry points alone.
@njit
def _digits(text, at, mantissa):  # type: ignore[no-untyped-def]
    """A run of digits onto the mantissa, at most 18 of them in all: (mantissa, digits left out,
    index behind).
    """
    left_out = np.int64(0)
    while at < np.uintp(text.size) and text[at] >= _ZERO and text[at] <= _NINE:
        if mantissa < 10**17:
            mantissa = mantissa * 10 + (text[at] - _ZERO)
        else:
            left_out += 1
        at += np.uintp(1)
    return mantissa, left_out, at


@njit(f"uintp({_Text}, int64[::1])", cache=True, nogil=True)
def ids_into(text, ids):  # type: ignore[no-untyped-def]
    """Fill `ids` from newline-separated paths; returns the lines seen."""
    end, rows, one = np.uintp(text.size), np.uintp(ids.size), np.uintp(1)
    at, row = np.uintp(0), np.uintp(0)
    while True:
        number, left_out, behind = _digits(text, at, np.int64(0))
        if behind > at and behind < end and (text[behind] == _SLASH or text[behind] == _BACKSLASH):
            at = behind + one
            number, left_out, behind = _digits(text, at, np.int64(0))
        good = behind > at and left_out == 0 and behind < end and text[behind] == _POINT
        first = at = behind + one if good else behind
        while at < end and text[at] != _NEWLINE:
            letter = text[at] | 32  # lower case; digits have that bit already
            good = good and (97 <= letter <= 122 or _ZERO <= text[at] <= _NINE)
            at += one
        if row < rows:
            ids[row] = number if good and at > first else -1
        row += one
        if at >= end:
            return row
        at += one


@njit
def _sign(text, at):  # type: ignore[no-untyped-def]
    if at < np.uintp(text.size) and (text[at] == _MINUS or text[at] == _PLUS):
        return text[at] == _MINUS, at + np.uintp(1)
    return False, at


@njit
def _six_decimals(text, at):  # type: ignore[no-untyped-def]
    """The digits of `0.` and six decimals with no digit behind them, -1 where that is not there:
    what nearly all numbers of faces.tsv are, in one word of eight bytes (SWAR).
    """
    if at + np.uintp(8) >= np.uintp(text.size):
        return np.int64(-1)
    word = np.uint64(0)
    for byte in range(8):
        word |= np.uint64(text[at + np.uintp(byte)]) << np.uint64(8 * byte)
    digits = word ^ _ZERO_POINT
    behind = text[at + np.uintp(8)]
    if (digits & _HEAD) | ((digits | (digits + _SIX)) & _HIGH) or behind == _POINT:
        return np.int64(-1)
    if (_ZERO <= behind <= _NINE) or (behind | 32) == _LOWER_E:
        return np.int64(-1)
    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    upper = (pairs & _PAIR) * _UPPER_WEIGHTS
    lower = ((pairs >> np.uint64(16)) & _PAIR) * _LOWER_WEIGHTS
    return np.int64((upper + lower) >> np.uint64(32))


@njit
def _number(text, at):  # type: ignore[no-untyped-def]
    """A decimal number and the index behind it; NaN where there is none."""
    end, one = np.uintp(text.size), np.uintp(1)
    millionths = _six_decimals(text, at)
    if millionths >= 0:
        return millionths / 1e6, at + np.uintp(8)
    negative, at = _sign(text, at)
    mantissa, scale, behind = _digits(text, at, np.int64(0))
    digits, at = behind - at, behind
    if at < end and text[at] == _POINT:
        at += one
        mantissa, left_out, behind = _digits(text, at, mantissa)
        digits += behind - at
        scale -= np.int64(behind - at) - left_out
        at = behind
    if digits == np.uintp(0):
        return np.nan, at
    if at < end and (text[at] == _LOWER_E or text[at] == _UPPER_E):
        shrinks, at = _sign(text, at + one)
        exponent, left_out, behind = _digits(text, at, np.int64(0))
        if behind == at or left_out > 0:
            return np.nan, behind
        scale, at = scale + (-exponent if shrinks else exponent), behind
    power = _POWERS[np.uintp(min(abs(scale), 308))]
    value = mantissa / power if scale < 0 else mantissa * power
    return (-value if negative else value), at


@njit
def _separator(text, at):  # type: ignore[no-untyped-def]
    """Index behind spaces with at most one comma among them."""
    end, one = np.uintp(text.size), np.uintp(1)
    while at < end and text[at] == _SPACE:
        at += one
    if at < end and text[at] == _COMMA:
        at += one
        while at < end and text[at] == _SPACE:
            at += one
    return at


@njit(f"uintp({_Text}, float32[:, ::1], float32[::1], boolean[::1])", cache=True, nogil=True)
def parse_into(text, xyxy, confidence, valid):  # type: ignore[no-untyped-def]
    """Fill the three arrays from newline-separated text; returns the lines seen.

    Lines beyond the arrays are counted, not stored.
    """
    end, rows, one = np.uintp(text.size), np.uintp(valid.size), np.uintp(1)
    at, row = np.uintp(0), np.uintp(0)
    numbers = np.empty(5, np.float64)
    while True:
        good = True
        for field in range(5):
            start = at
            if field > 0:
                at = _separator(text, at)
                good = good and at > start
            numbers[field], at = _number(text, at)
            good = good and abs(numbers[field]) <= _LARGEST
        while at < end and text[at] != _NEWLINE:
            good = False
            at += one
        if row < rows:
            valid[row] = good
            for edge in range(4):
                xyxy[row, edge] = numbers[edge] if good else np.nan
            confidence[row] = numbers[4] if good else np.nan
        row += one
        if at >= end:
            return row
        at += one
