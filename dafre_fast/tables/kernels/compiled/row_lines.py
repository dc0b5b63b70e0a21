"""Compiled parser of faces.tsv and tagIds.tsv, as `tables.kernels.row_lines` describes it.

Indices are unsigned: numba then leaves out the check for negative ones, a third of the time.
"""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.tables.kernels.row_lines import BLANK, GOOD, UNREAD

_TAB, _NEWLINE, _RETURN, _SPACE, _DELETE = 9, 10, 13, 32, 127
_COMMA, _POINT, _ZERO, _NINE = 44, 46, 48, 57
_MINUS, _PLUS, _UPPER_E, _LOWER_E, _SLASH, _BACKSLASH = 45, 43, 69, 101, 47, 92
_POWERS = np.array([float(f"1e{power}") for power in range(309)])
_ZERO_POINT, _HEAD = np.uint64(0x3030303030302E30), np.uint64(0xFFFF)
_SIX, _HIGH = np.uint64(0x0606060606060000), np.uint64(0xF0F0F0F0F0F00000)
_PAIR = np.uint64(0x000000FF000000FF)
_UPPER_WEIGHTS = np.uint64(100 + (1_000_000 << 32))
_LOWER_WEIGHTS = np.uint64(1 + (10_000 << 32))
_LARGEST = 1e30
"""The largest number that a box may have, within the range of float32."""


@inlined
def _digits(text, at, mantissa):  # type: ignore[no-untyped-def]
    """Append a run of digits to the mantissa, up to 18 digits in all. Return the mantissa, the
    number of digits left out, and the index behind them.
    """
    left_out = np.int64(0)
    while at < np.uintp(text.size) and text[at] >= _ZERO and text[at] <= _NINE:
        if mantissa < 10**17:
            mantissa = mantissa * 10 + (text[at] - _ZERO)
        else:
            left_out += 1
        at += np.uintp(1)
    return mantissa, left_out, at


@inlined
def _whole(text, at):  # type: ignore[no-untyped-def]
    """Return a whole number of at most 18 digits without a sign, -1 if there is none, and the index
    behind it.
    """
    number, left_out, behind = _digits(text, at, np.int64(0))
    return (number if behind > at and left_out == 0 else np.int64(-1)), behind


@inlined
def _path(text, at):  # type: ignore[no-untyped-def]
    """Return the id in a path such as `0446\\332446.jpg`, and the index behind the path. The id is
    -1 unless the path is a file named by its id, in the folder `id % 1000` or in none.
    """
    end, one, folder = np.uintp(text.size), np.uintp(1), np.int64(-1)
    number, behind = _whole(text, at)
    if behind > at and behind < end and (text[behind] == _SLASH or text[behind] == _BACKSLASH):
        folder = number if number >= 0 else np.int64(1000)
        number, behind = _whole(text, behind + one)
    if number < 0 or behind >= end or text[behind] != _POINT:
        return np.int64(-1), behind
    first = at = behind + one
    while at < end:
        letter = text[at] | 32  # lower case; digits have that bit already
        if not (97 <= letter <= 122 or _ZERO <= text[at] <= _NINE):
            break
        at += one
    agrees = folder < 0 or folder == number % 1000
    return (number if agrees and at > first else np.int64(-1)), at


@inlined
def _sign(text, at):  # type: ignore[no-untyped-def]
    """Return whether the number is negative, and the index behind its sign, if it has one."""
    if at < np.uintp(text.size) and (text[at] == _MINUS or text[at] == _PLUS):
        return text[at] == _MINUS, at + np.uintp(1)
    return False, at


@inlined
def _six_decimals(text, at):  # type: ignore[no-untyped-def]
    """Return the decimals of a number written as `0.` and exactly six digits, -1 if it is not.
    Nearly all numbers in faces.tsv are; it is read as one word of eight bytes (SWAR).
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


@inlined
def _number(text, at):  # type: ignore[no-untyped-def]
    """Return a decimal number, NaN if there is none, and the index behind it."""
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


@inlined
def _separator(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind spaces with at most one comma among them."""
    end, one = np.uintp(text.size), np.uintp(1)
    while at < end and text[at] == _SPACE:
        at += one
    if at < end and text[at] == _COMMA:
        at += one
        while at < end and text[at] == _SPACE:
            at += one
    return at


@inlined
def _box(text, at, numbers):  # type: ignore[no-untyped-def]
    """Fill `numbers` with the five of a box. Return whether they are one, and the index behind."""
    good = True
    for field in range(5):
        start = at
        if field > 0:
            at = _separator(text, at)
            good = good and at > start
        numbers[field], at = _number(text, at)
        good = good and abs(numbers[field]) <= _LARGEST
    return good and 0 <= numbers[4] <= 1, at


@inlined
def _tab(text, at):  # type: ignore[no-untyped-def]
    """Return whether there is a tab, and the index behind it."""
    if at < np.uintp(text.size) and text[at] == _TAB:
        return True, at + np.uintp(1)
    return False, at


@inlined
def _rest(text, at):  # type: ignore[no-untyped-def]
    """Return whether the rest of the line is blank, and the index of its end."""
    blank = True
    while at < np.uintp(text.size) and text[at] != _NEWLINE:
        blank = blank and (text[at] == _SPACE or text[at] == _TAB or text[at] == _RETURN)
        at += np.uintp(1)
    return blank, at


@inlined
def _state(text, start, at, good, longest):  # type: ignore[no-untyped-def]
    """Return the state of the line from `start` whose rest begins at `at`, and the index of its
    end.
    """
    only_blanks, end = _rest(text, at)
    if good and only_blanks and end - start <= np.uintp(longest):
        return GOOD, end
    only_blanks, end = _rest(text, start)
    return (BLANK if only_blanks else UNREAD), end


def faces_in(text, longest, states, starts, ids, tag_ids, numbers, five):  # type: ignore[no-untyped-def]
    """Fill the arrays of `FaceLines`; `five` float64 (5,) is room for the numbers of a row."""
    at = np.uintp(0)
    for line in range(states.size):
        start = at
        tag_id = np.int64(-1)
        image_id, at = _path(text, at)
        good, at = _tab(text, at)
        if good and image_id >= 0:
            tag_id, at = _whole(text, at)
            good, at = _tab(text, at)
        if good and tag_id >= 0:
            good, at = _box(text, at, five)
        state, at = _state(text, start, at, good and tag_id >= 0, longest)
        states[line], starts[line] = state, start
        if state == GOOD:
            ids[line], tag_ids[line] = image_id, tag_id
            for field in range(5):
                numbers[field, line] = five[field]
        at += np.uintp(1)


def tags_in(text, longest, states, starts, name_ends, tag_ids):  # type: ignore[no-untyped-def]
    """Fill the arrays of `TagLines`."""
    at, one = np.uintp(0), np.uintp(1)
    for line in range(states.size):
        start = at
        plain, filled = True, False
        while at < np.uintp(text.size) and text[at] != _TAB and text[at] != _NEWLINE:
            plain = plain and _SPACE <= text[at] < _DELETE
            filled = filled or text[at] != _SPACE
            at += one
        starts[line], name_ends[line] = start, at
        good, at = _tab(text, at)
        tag_id = np.int64(-1)
        if good:
            tag_id, at = _whole(text, at)
        states[line], at = _state(text, start, at, plain and filled and tag_id >= 0, longest)
        tag_ids[line] = tag_id
        at += one
