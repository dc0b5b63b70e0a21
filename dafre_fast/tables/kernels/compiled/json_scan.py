"""Compiled scanner of JSON: finds where each value ends, and builds none.

The JSON is strict (RFC 8259), in UTF-8 (table 3-7 of the Unicode Standard). `text` is a contiguous
uint8 array, and each of its lines ends in a line feed. Each function takes the index of a byte and
returns the index behind what it found. Index 0 means that it found no valid JSON, or something rare
that slower code has to read: two escapes for one character, an exponent, more than 18 digits, more
than 60 levels.

Indices are unsigned, since numba then leaves out the check for negative ones. Functions have no
signature, so that only the kernel they are inlined into is compiled. Whoever looks at a byte of a
line may look at the next one, unless the first was the line feed.
"""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.tables.kernels.compiled.vectors import plain_bytes
from dafre_fast.tables.kernels.post_lines import WIDTH

NO_ESCAPES, ESCAPES, CONTROLS = 0, 1, 2
"""Kinds of a string: no escapes, some, or escapes of blanks or control characters."""

QUOTE, BACKSLASH, _SLASH, NEWLINE, SPACE = 34, 92, 47, 10, 32
_TAB, _RETURN, COMMA, _COLON, _MINUS, _POINT = 9, 13, 44, 58, 45, 46
ZERO, NINE, _LOWER_E, _UPPER_E, LOWER_U, LOWER_N = 48, 57, 101, 69, 117, 110
_CONTROL_LETTERS = (98, 102, 110, 114, 116)  # of the escapes \b \f \n \r \t
OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST = 123, 125, 91, 93

FROM_BLANK = np.int64(SPACE)
"""The least byte of a string that may hold blanks."""
_DEEPEST = 60
_MOST_DIGITS = 18


@inlined
def _odd_byte(text, at, least):  # type: ignore[no-untyped-def]
    """Return the index of the next byte that is not plain ASCII within a string."""
    width = np.uintp(WIDTH)
    while at + width <= np.uintp(text.size):
        plain = plain_bytes(text, at, least)
        at += plain
        if plain < width:
            return at
    while least <= text[at] < 128 and text[at] != QUOTE and text[at] != BACKSLASH:
        at += np.uintp(1)
    return at


@inlined
def _hex_digit(byte):  # type: ignore[no-untyped-def]
    """Return the value of a hexadecimal digit, -1 if it is none."""
    if ZERO <= byte <= NINE:
        return np.int64(byte) - 48
    letter = np.int64(byte) | 32
    return letter - 87 if 97 <= letter <= 102 else np.int64(-1)


@inlined
def code_unit(text, at):  # type: ignore[no-untyped-def]
    """Return the four hexadecimal digits of `\\u` as a number, -1 if there are not four."""
    number = np.int64(0)
    for _ in range(4):
        digit = _hex_digit(text[at])
        if digit < 0:
            return digit
        number = number * 16 + digit
        at += np.uintp(1)
    return number


@inlined
def _escape_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind an escape, and whether it stands for anything but a blank or a
    control character. Half of a surrogate pair is not accepted.
    """
    byte, behind = text[at + np.uintp(1)], at + np.uintp(2)
    if byte == LOWER_U:
        unit = code_unit(text, behind)
        if unit < 0 or 0xD800 <= unit <= 0xDFFF:
            return np.uintp(0), False
        return behind + np.uintp(4), unit > SPACE
    if byte in (QUOTE, BACKSLASH, _SLASH):
        return behind, True
    return (behind if byte in _CONTROL_LETTERS else np.uintp(0)), False


@inlined
def _letter_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a character of two to four bytes of UTF-8."""
    lead, one = text[at], np.uintp(1)
    least, most, more = 0x80, 0xBF, 0
    if 0xC2 <= lead <= 0xDF:
        more = 1
    elif 0xE0 <= lead <= 0xEF:
        more = 2
        least = 0xA0 if lead == 0xE0 else least
        most = 0x9F if lead == 0xED else most
    elif 0xF0 <= lead <= 0xF4:
        more = 3
        least = 0x90 if lead == 0xF0 else least
        most = 0x8F if lead == 0xF4 else most
    else:
        return np.uintp(0)
    for _ in range(more):
        at += one
        if not least <= text[at] <= most:
            return np.uintp(0)
        least, most = 0x80, 0xBF
    return at + one


@inlined
def string_end(text, at, least):  # type: ignore[no-untyped-def]
    """Return the index of the quote that ends a string whose first character is at `at`, and its
    kind: `NO_ESCAPES`, `ESCAPES` or `CONTROLS`. A byte below `least` makes it invalid.
    """
    if at + np.uintp(WIDTH) < np.uintp(text.size):
        end = at + plain_bytes(text, at, least)
        if text[end] == QUOTE:
            return end, NO_ESCAPES
    return _long_string_end(text, at, least)


@inlined
def _long_string_end(text, at, least):  # type: ignore[no-untyped-def]
    """Return the same as `string_end`, for a string that is long or not all plain ASCII."""
    kind = NO_ESCAPES
    while True:
        at = _odd_byte(text, at, least)
        byte = text[at]
        if byte == QUOTE:
            return at, kind
        if byte == BACKSLASH:
            at, printed = _escape_end(text, at)
            kind = max(kind, ESCAPES if printed else CONTROLS)
        elif byte >= 128:
            at = _letter_end(text, at)
        else:
            return np.uintp(0), kind
        if at == np.uintp(0):
            return at, kind


@inlined
def skip_blanks(text, at):  # type: ignore[no-untyped-def]
    """Return the index of the next byte that is not a blank."""
    while text[at] <= SPACE and (text[at] == SPACE or text[at] == _TAB or text[at] == _RETURN):
        at += np.uintp(1)
    return at


@inlined
def _digits_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind 1 to 18 digits."""
    start = at
    while ZERO <= text[at] <= NINE:
        at += np.uintp(1)
    return at if np.uintp(0) < at - start <= np.uintp(_MOST_DIGITS) else np.uintp(0)


@inlined
def number_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a number without an exponent, and whether it is whole."""
    one, negative = np.uintp(1), text[at] == _MINUS
    at += np.uintp(negative)
    first = text[at]
    start, at = at, _digits_end(text, at)
    if at == np.uintp(0) or (first == ZERO and (at > start + one or negative)):
        return np.uintp(0), False
    whole = text[at] != _POINT
    if not whole:
        at = _digits_end(text, at + one)
    if at != np.uintp(0) and (text[at] == _LOWER_E or text[at] == _UPPER_E):
        return np.uintp(0), False
    return at, whole


@inlined
def literal_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind `true`, `false` or `null`."""
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    if text[at] == 116:
        good = text[at + one] == 114 and text[at + two] == 117 and text[at + three] == _LOWER_E
        return at + np.uintp(4) if good else np.uintp(0)
    if text[at] == 110:
        good = text[at + one] == 117 and text[at + two] == 108 and text[at + three] == 108
        return at + np.uintp(4) if good else np.uintp(0)
    if text[at] == 102:
        good = text[at + one] == 97 and text[at + two] == 108 and text[at + three] == 115
        good = good and text[at + np.uintp(4)] == _LOWER_E
        return at + np.uintp(5) if good else np.uintp(0)
    return np.uintp(0)


@inlined
def _scalar_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a value that is neither an object nor a list."""
    byte = text[at]
    if byte == QUOTE:
        end, _ = string_end(text, at + np.uintp(1), FROM_BLANK)
        return end + np.uintp(end != 0)
    if byte == _MINUS or ZERO <= byte <= NINE:
        behind, _ = number_end(text, at)
        return behind
    return literal_end(text, at)


@inlined
def read_key(text, at):  # type: ignore[no-untyped-def]
    """Return the index of the quote that ends a key, whether the key has no escapes, and the index
    of its value.
    """
    if text[at] != QUOTE:
        return np.uintp(0), False, np.uintp(0)
    end, kind = string_end(text, at + np.uintp(1), FROM_BLANK)
    if end == np.uintp(0):
        return end, False, end
    at = skip_blanks(text, end + np.uintp(1))
    if text[at] != _COLON:
        return np.uintp(0), False, np.uintp(0)
    return end, kind == NO_ESCAPES, skip_blanks(text, at + np.uintp(1))


@inlined
def _closing(in_object):  # type: ignore[no-untyped-def]
    """Return the byte that closes an object or a list."""
    return CLOSE_OBJECT if in_object else CLOSE_LIST


@inlined
def _member_value(text, at, in_object):  # type: ignore[no-untyped-def]
    """Return the index of the next value in an object or a list, behind its key if it has one."""
    at = skip_blanks(text, at)
    if in_object:
        _, _, at = read_key(text, at)
    return at


@inlined
def value_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind any value of at most `_DEEPEST` levels."""
    one, zero = np.uintp(1), np.uintp(0)
    depth, objects = 0, np.uint64(0)  # a bit for each open level: 1 for an object, 0 for a list
    while at != zero and depth <= _DEEPEST:
        is_object = text[at] == OPEN_OBJECT
        if is_object or text[at] == OPEN_LIST:
            objects, depth = objects << np.uint64(1) | np.uint64(is_object), depth + 1
            at = skip_blanks(text, at + one)
            if text[at] != _closing(is_object):
                at = _member_value(text, at, is_object)
                continue
        else:
            at = _scalar_end(text, at)
        if at != zero:
            at, depth, objects = _close(text, at, depth, objects)
        if depth == 0 or at == zero:
            return at
        at = (
            _member_value(text, at + one, objects & np.uint64(1) != 0)
            if text[at] == COMMA
            else zero
        )
    return zero


@inlined
def _close(text, at, depth, objects):  # type: ignore[no-untyped-def]
    """Return the index behind all levels that end here, and the levels that are still open."""
    while depth > 0:
        at = skip_blanks(text, at)
        if text[at] != _closing(objects & np.uint64(1) != 0):
            break
        objects, depth, at = objects >> np.uint64(1), depth - 1, at + np.uintp(1)
    return at, depth, objects


@inlined
def equals(text, start, end, name):  # type: ignore[no-untyped-def]
    """Return whether the bytes from `start` to `end` are those of `name`."""
    length, place = np.uintp(name.size), np.uintp(0)
    if end - start != length:
        return False
    while place < length and text[start + place] == name[place]:
        place += np.uintp(1)
    return place == length


@inlined
def line_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index of the line feed that ends the line."""
    while text[at] != NEWLINE:
        at += np.uintp(1)
    return at
