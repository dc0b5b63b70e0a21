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

NOWHERE, ONE, TWO, THREE, STEP = (np.uintp(number) for number in (0, 1, 2, 3, WIDTH))
"""Unsigned numbers as constants, since each `np.uintp(1)` takes milliseconds to compile."""

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
_MOST_DIGITS = np.uintp(18)


@inlined
def _odd_byte(text, at, least):  # type: ignore[no-untyped-def]
    """Return the index of the next byte that is not plain ASCII within a string."""
    while at + STEP <= np.uintp(text.size):
        plain = plain_bytes(text, at, least)
        at += plain
        if plain < STEP:
            return at
    while least <= text[at] < 128 and text[at] != QUOTE and text[at] != BACKSLASH:
        at += ONE
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
        at += ONE
    return number


@inlined
def _escape_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind an escape, and whether it stands for anything but a blank or a
    control character. Half of a surrogate pair is not accepted.
    """
    byte, behind = text[at + ONE], at + TWO
    if byte == LOWER_U:
        unit = code_unit(text, behind)
        if unit < 0 or 0xD800 <= unit <= 0xDFFF:
            return NOWHERE, False
        return behind + np.uintp(4), unit > SPACE
    if byte in (QUOTE, BACKSLASH, _SLASH):
        return behind, True
    return (behind if byte in _CONTROL_LETTERS else NOWHERE), False


@inlined
def _letter_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a character of two to four bytes of UTF-8."""
    lead = text[at]
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
        return NOWHERE
    for _ in range(more):
        at += ONE
        if not least <= text[at] <= most:
            return NOWHERE
        least, most = 0x80, 0xBF
    return at + ONE


@inlined
def string_end(text, at, least):  # type: ignore[no-untyped-def]
    """Return the index of the quote that ends a string whose first character is at `at`, and its
    kind: `NO_ESCAPES`, `ESCAPES` or `CONTROLS`. A byte below `least` makes it invalid.
    """
    if at + STEP < np.uintp(text.size):
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
            return NOWHERE, kind
        if at == NOWHERE:
            return at, kind


@inlined
def skip_blanks(text, at):  # type: ignore[no-untyped-def]
    """Return the index of the next byte that is not a blank."""
    while text[at] <= SPACE and (text[at] == SPACE or text[at] == _TAB or text[at] == _RETURN):
        at += ONE
    return at


@inlined
def _digits_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind 1 to 18 digits."""
    start = at
    while ZERO <= text[at] <= NINE:
        at += ONE
    return at if NOWHERE < at - start <= _MOST_DIGITS else NOWHERE


@inlined
def number_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a number without an exponent, and whether it is whole."""
    negative = text[at] == _MINUS
    at += np.uintp(negative)
    first = text[at]
    start, at = at, _digits_end(text, at)
    if at == NOWHERE or (first == ZERO and (at > start + ONE or negative)):
        return NOWHERE, False
    whole = text[at] != _POINT
    if not whole:
        at = _digits_end(text, at + ONE)
    if at != NOWHERE and (text[at] == _LOWER_E or text[at] == _UPPER_E):
        return NOWHERE, False
    return at, whole


@inlined
def literal_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind `true`, `false` or `null`."""
    if text[at] == 116:
        good = text[at + ONE] == 114 and text[at + TWO] == 117 and text[at + THREE] == _LOWER_E
        return at + np.uintp(4) if good else NOWHERE
    if text[at] == 110:
        good = text[at + ONE] == 117 and text[at + TWO] == 108 and text[at + THREE] == 108
        return at + np.uintp(4) if good else NOWHERE
    if text[at] == 102:
        good = text[at + ONE] == 97 and text[at + TWO] == 108 and text[at + THREE] == 115
        good = good and text[at + np.uintp(4)] == _LOWER_E
        return at + np.uintp(5) if good else NOWHERE
    return NOWHERE


@inlined
def _scalar_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a value that is neither an object nor a list."""
    byte = text[at]
    if byte == QUOTE:
        end, _ = string_end(text, at + ONE, FROM_BLANK)
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
        return NOWHERE, False, NOWHERE
    end, kind = string_end(text, at + ONE, FROM_BLANK)
    if end == NOWHERE:
        return end, False, end
    at = skip_blanks(text, end + ONE)
    if text[at] != _COLON:
        return NOWHERE, False, NOWHERE
    return end, kind == NO_ESCAPES, skip_blanks(text, at + ONE)


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
    depth, objects = 0, np.uint64(0)  # a bit for each open level: 1 for an object, 0 for a list
    while at != NOWHERE and depth <= _DEEPEST:
        is_object = text[at] == OPEN_OBJECT
        if is_object or text[at] == OPEN_LIST:
            objects, depth = objects << np.uint64(1) | np.uint64(is_object), depth + 1
            at = skip_blanks(text, at + ONE)
            if text[at] != _closing(is_object):
                at = _member_value(text, at, is_object)
                continue
        else:
            at = _scalar_end(text, at)
        if at != NOWHERE:
            at, depth, objects = _close(text, at, depth, objects)
        if depth == 0 or at == NOWHERE:
            return at
        at = (
            _member_value(text, at + ONE, objects & np.uint64(1) != 0)
            if text[at] == COMMA
            else NOWHERE
        )
    return NOWHERE


@inlined
def _close(text, at, depth, objects):  # type: ignore[no-untyped-def]
    """Return the index behind all levels that end here, and the levels that are still open."""
    while depth > 0:
        at = skip_blanks(text, at)
        if text[at] != _closing(objects & np.uint64(1) != 0):
            break
        objects, depth, at = objects >> np.uint64(1), depth - 1, at + ONE
    return at, depth, objects


@inlined
def equals(text, start, end, name):  # type: ignore[no-untyped-def]
    """Return whether the bytes from `start` to `end` are those of `name`."""
    length, place = np.uintp(name.size), NOWHERE
    if end - start != length:
        return False
    while place < length and text[start + place] == name[place]:
        place += ONE
    return place == length


@inlined
def line_end(text, at):  # type: ignore[no-untyped-def]
    """Return the index of the line feed that ends the line."""
    while text[at] != NEWLINE:
        at += ONE
    return at
