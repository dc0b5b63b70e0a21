"""Lines of JSON with posts, in either shape, from bytes to text that need only be split: jitted.

A line is read here where it is plain: an object of strict JSON (RFC 8259) and UTF-8 (table 3-7 of
the Unicode Standard), in which a field that is wanted is there once at most and of the type that it
should have, and each tag has a category that there is and a name without blanks. Escapes are read
where each is one letter, and no blank. All other lines are told from blank ones alone, and
`json_lines` looks closer.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dafre_fast.tables.kernels.vectors import WIDTH, WORD, copy, plain_bytes, word

BLANK, GOOD, UNREAD = 0, 1, 2
"""What a line is: no row, a row that was read, a row that was not."""
COLUMNS = (
    "is_pending",
    "is_flagged",
    "is_deleted",
    "is_banned",
    "id",
    "file_ext",
    "image_width",
    "image_height",
    "rating",
    "tag_string_general",
    "tag_string_copyright",
    "tag_string_character",
)
"""The first of them is never anything that begins with a byte order mark."""
SEPARATOR, NULL = 31, 30
"""Bytes of the text: between two columns, and alone in one that has no value. JSON has neither."""

_FLAGS, _TEXTS, _COLUMNS, _NAMES = 4, 9, len(COLUMNS), 3
"""Where columns of flags end, those of texts and numbers, and those of names; these are three."""
_TAGS, _UNKNOWN = _COLUMNS, _COLUMNS + 1
_FIELDS = (*COLUMNS, "tags")
_LONGEST_KEY = max(map(len, _FIELDS))
_KEYS = np.array([list(name.encode().ljust(_LONGEST_KEY, b"\0")) for name in _FIELDS], np.uint8)
_OF_LENGTH = np.full((_LONGEST_KEY + 1, 3), _UNKNOWN, np.uint8)
"""The fields whose names are so long."""
for _length in range(_LONGEST_KEY + 1):
    _those = [number for number, name in enumerate(_FIELDS) if len(name) == _length]
    _OF_LENGTH[_length, : len(_those)] = _those
_NAME, _CATEGORY = (np.frombuffer(name, np.uint8) for name in (b"name", b"category"))
_NO_CATEGORY = -2
_KEPT = np.array([0, -1, _NO_CATEGORY, 1, 2, -1], np.int8)
"""By category: the place of its column, -1 for none."""
_NO_ESCAPES, _ESCAPES, _CONTROLS = 0, 1, 2
_ID_IS, _THEN_NAME, _NAME_IS, _THEN_CATEGORY, _CATEGORY_IS = (
    np.frombuffer(part, np.uint64)[0]
    for part in (b'\0{"id":"', b'","name"', b'"name":"', b'","categ', b'egory":"')
)
_BYTE = np.uint64(8)
_MOST_TAGS = 2048
_DEEPEST = 60
_MOST_DIGITS = 18
_OVERHEAD = 2 * _COLUMNS
"""Bytes of text, at most, for a line of which nothing is wanted: it has two at least."""

_QUOTE, _BACKSLASH, _SLASH, _NEWLINE, _SPACE = 34, 92, 47, 10, 32
_TAB, _RETURN, _COMMA, _COLON, _MINUS, _POINT = 9, 13, 44, 58, 45, 46
_ZERO, _NINE, _LOWER_E, _UPPER_E, _LOWER_U, _LOWER_N = 48, 57, 101, 69, 117, 110
_CONTROL_LETTERS = (98, 102, 110, 114, 116)  # of escapes: \b \f \n \r \t
_OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_LIST, _CLOSE_LIST = 123, 125, 91, 93


class PostLines(NamedTuple):
    """N lines: `states` uint8 (N,); `starts` int64 (N + 1,), index of the first byte and behind the
    last line's end; `text` uint8, `COLUMNS` of each good line, between separators.
    """

    states: NDArray[np.uint8]
    starts: NDArray[np.int64]
    text: NDArray[np.uint8]


def parse_posts(text: NDArray[np.uint8], longest: int) -> PostLines:
    """Read the lines of some text that have an end; `text` is contiguous and read-only. A line of
    more than so many bytes is not read.
    """
    return PostLines(*posts_in(text, longest))


_part = njit(_nrt=False)
"""Of the kernel. To count who uses an array, which is for those that allocate some, would cost half
of the time; the option is numba's own, and documented nowhere.
"""


# As in `parsing`, indices are unsigned, and helpers have no signature. Whoever looks at a byte of a
# line may look at the next if it was not the line's end, for every line has one. Index 0 in the
# place of the index behind something says that it is not there.
@_part
def _odd_byte(text, at, least):  # type: ignore[no-untyped-def]
    """Index of the first byte from there on that is not plain ASCII within a string."""
    width = np.uintp(WIDTH)
    while at + width <= np.uintp(text.size):
        plain = plain_bytes(text, at, least)
        at += plain
        if plain < width:
            return at
    while least <= text[at] < 128 and text[at] != _QUOTE and text[at] != _BACKSLASH:
        at += np.uintp(1)
    return at


@_part
def _hex_digit(byte):  # type: ignore[no-untyped-def]
    """Its value, -1 for none."""
    if _ZERO <= byte <= _NINE:
        return np.int64(byte) - 48
    letter = np.int64(byte) | 32
    return letter - 87 if 97 <= letter <= 102 else np.int64(-1)


@_part
def _unit(text, at):  # type: ignore[no-untyped-def]
    """The four digits behind `\\u` as a number, -1 where they are not there."""
    number = np.int64(0)
    for _ in range(4):
        digit = _hex_digit(text[at])
        if digit < 0:
            return digit
        number = number * 16 + digit
        at += np.uintp(1)
    return number


@_part
def _escape(text, at):  # type: ignore[no-untyped-def]
    """Index behind an escape, and whether it stands for more than a blank or a control. One of two
    that make a letter is none.
    """
    byte, behind = text[at + np.uintp(1)], at + np.uintp(2)
    if byte == _LOWER_U:
        unit = _unit(text, behind)
        if unit < 0 or 0xD800 <= unit <= 0xDFFF:
            return np.uintp(0), False
        return behind + np.uintp(4), unit > _SPACE
    if byte in (_QUOTE, _BACKSLASH, _SLASH):
        return behind, True
    return (behind if byte in _CONTROL_LETTERS else np.uintp(0)), False


@_part
def _letter(text, at):  # type: ignore[no-untyped-def]
    """Index behind a letter beyond ASCII."""
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


@_part
def _string(text, at, least):  # type: ignore[no-untyped-def]
    """Index of the quote that ends a string from there on, and how plain it is: `_NO_ESCAPES`,
    `_ESCAPES`, or `_CONTROLS` where some of them are of blanks or controls. No byte of it may be
    below `least`.
    """
    if at + np.uintp(WIDTH) < np.uintp(text.size):
        end = at + plain_bytes(text, at, least)
        if text[end] == _QUOTE:
            return end, _NO_ESCAPES
    return _other_string(text, at, least)


@_part
def _other_string(text, at, least):  # type: ignore[no-untyped-def]
    """As `_string` of one that is long or has more than plain ASCII."""
    kind = _NO_ESCAPES
    while True:
        at = _odd_byte(text, at, least)
        byte = text[at]
        if byte == _QUOTE:
            return at, kind
        if byte == _BACKSLASH:
            at, printed = _escape(text, at)
            kind = max(kind, _ESCAPES if printed else _CONTROLS)
        elif byte >= 128:
            at = _letter(text, at)
        else:
            return np.uintp(0), kind
        if at == np.uintp(0):
            return at, kind


@_part
def _blanks(text, at):  # type: ignore[no-untyped-def]
    """Index behind blanks, if any."""
    while text[at] <= _SPACE and (text[at] == _SPACE or text[at] == _TAB or text[at] == _RETURN):
        at += np.uintp(1)
    return at


@_part
def _digits(text, at):  # type: ignore[no-untyped-def]
    start = at
    while _ZERO <= text[at] <= _NINE:
        at += np.uintp(1)
    return at if np.uintp(0) < at - start <= np.uintp(_MOST_DIGITS) else np.uintp(0)


@_part
def _number(text, at):  # type: ignore[no-untyped-def]
    """Index behind a number without exponent that is not too long, and whether it is whole."""
    one, negative = np.uintp(1), text[at] == _MINUS
    at += np.uintp(negative)
    first = text[at]
    start, at = at, _digits(text, at)
    if at == np.uintp(0) or (first == _ZERO and (at > start + one or negative)):
        return np.uintp(0), False
    whole = text[at] != _POINT
    if not whole:
        at = _digits(text, at + one)
    if at != np.uintp(0) and (text[at] == _LOWER_E or text[at] == _UPPER_E):
        return np.uintp(0), False
    return at, whole


@_part
def _literal(text, at):  # type: ignore[no-untyped-def]
    """Index behind `true`, `false` or `null`."""
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


@_part
def _scalar(text, at):  # type: ignore[no-untyped-def]
    """Index behind a value that is neither object nor list."""
    byte = text[at]
    if byte == _QUOTE:
        end, _ = _string(text, at + np.uintp(1), _SPACE)
        return end + np.uintp(end != 0)
    if byte == _MINUS or _ZERO <= byte <= _NINE:
        behind, _ = _number(text, at)
        return behind
    return _literal(text, at)


@_part
def _key(text, at):  # type: ignore[no-untyped-def]
    """Of a key with its colon: index behind its name, whether that has no escapes, and index of the
    value.
    """
    if text[at] != _QUOTE:
        return np.uintp(0), False, np.uintp(0)
    end, kind = _string(text, at + np.uintp(1), _SPACE)
    if end == np.uintp(0):
        return end, False, end
    at = _blanks(text, end + np.uintp(1))
    if text[at] != _COLON:
        return np.uintp(0), False, np.uintp(0)
    return end, kind == _NO_ESCAPES, _blanks(text, at + np.uintp(1))


@_part
def _closing(in_object):  # type: ignore[no-untyped-def]
    return _CLOSE_OBJECT if in_object else _CLOSE_LIST


@_part
def _member(text, at, in_object):  # type: ignore[no-untyped-def]
    """Index of the value that comes next in an object or a list."""
    at = _blanks(text, at)
    if in_object:
        _, _, at = _key(text, at)
    return at


@_part
def _value(text, at):  # type: ignore[no-untyped-def]
    """Index behind any value that is not too deep. The lowest bit of `objects` tells whether the
    innermost of what is open is one.
    """
    one, zero = np.uintp(1), np.uintp(0)
    depth, objects = 0, np.uint64(0)
    while at != zero and depth <= _DEEPEST:
        is_object = text[at] == _OPEN_OBJECT
        if is_object or text[at] == _OPEN_LIST:
            objects, depth = objects << np.uint64(1) | np.uint64(is_object), depth + 1
            at = _blanks(text, at + one)
            if text[at] != _closing(is_object):
                at = _member(text, at, is_object)
                continue
        else:
            at = _scalar(text, at)
        if at != zero:
            at, depth, objects = _closed(text, at, depth, objects)
        if depth == 0 or at == zero:
            return at
        at = _member(text, at + one, objects & np.uint64(1)) if text[at] == _COMMA else zero
    return zero


@_part
def _closed(text, at, depth, objects):  # type: ignore[no-untyped-def]
    """Index behind all that ends there, and what is open still."""
    while depth > 0:
        at = _blanks(text, at)
        if text[at] != _closing(objects & np.uint64(1)):
            break
        objects, depth, at = objects >> np.uint64(1), depth - 1, at + np.uintp(1)
    return at, depth, objects


@_part
def _same(text, start, end, name):  # type: ignore[no-untyped-def]
    """Whether these bytes are the name."""
    length, place = np.uintp(name.size), np.uintp(0)
    if end - start != length:
        return False
    while place < length and text[start + place] == name[place]:
        place += np.uintp(1)
    return place == length


@_part
def _field(text, start, end):  # type: ignore[no-untyped-def]
    """The number of a column, `_TAGS` or `_UNKNOWN`, by its name."""
    length = end - start
    if length > np.uintp(_LONGEST_KEY):
        return np.uintp(_UNKNOWN)
    for one in range(np.uintp(_OF_LENGTH.shape[1])):
        field = np.uintp(_OF_LENGTH[length, one])
        if field == np.uintp(_UNKNOWN):
            break
        place = np.uintp(0)
        while place < length and text[start + place] == _KEYS[field, place]:
            place += np.uintp(1)
        if place == length:
            return field
    return np.uintp(_UNKNOWN)


@_part
def _category(text, at):  # type: ignore[no-untyped-def]
    """Index behind a category, a digit or that as a string, and the category; -1 for none."""
    one = np.uintp(1)
    quoted = text[at] == _QUOTE
    at += np.uintp(quoted)
    number = np.int64(text[at]) - _ZERO
    if number < 0 or number >= _KEPT.size or (quoted and text[at + one] != _QUOTE):
        return np.uintp(0), np.int64(-1)
    at += one + np.uintp(quoted)
    return (at if quoted or not _ZERO <= text[at] <= _NINE else np.uintp(0)), number


@_part
def _name(text, at):  # type: ignore[no-untyped-def]
    """Where a name of a tag begins and ends, 0 where there is none or it is not plain."""
    zero, start = np.uintp(0), at + np.uintp(1)
    if text[at] != _QUOTE:
        return zero, zero
    end, kind = _string(text, start, _SPACE + 1)
    if kind == _CONTROLS or end == start:
        return zero, zero
    return start, end


@_part
def _tag(text, at):  # type: ignore[no-untyped-def]
    """Index behind an object with a name and a category, the place of the category's column, and
    where the name begins and ends.
    """
    one, zero, start, end = np.uintp(1), np.uintp(0), np.uintp(0), np.uintp(0)
    category, again = np.int64(-1), text[at] != _OPEN_OBJECT
    while not again:
        key = _blanks(text, at + one)
        key_end, plain, at = _key(text, key)
        if at == zero or not plain:
            break
        if _same(text, key + one, key_end, _NAME):
            again = end != zero
            start, end = _name(text, at)
            at = end + one if end != zero else zero
        elif _same(text, key + one, key_end, _CATEGORY):
            again = category >= 0
            at, category = _category(text, at)
        else:
            at = _value(text, at)
        if at == zero:
            break
        at = _blanks(text, at)
        if text[at] == _CLOSE_OBJECT and end != zero and category >= 0 and not again:
            return at + one, np.int64(_KEPT[np.uintp(category)]), start, end
        if text[at] != _COMMA:
            break
    return zero, np.int64(_NO_CATEGORY), start, end


@_part
def _usual_tag(text, at):  # type: ignore[no-untyped-def]
    """As `_tag` of `{"id":"1","name":"solo","category":"0"}`, which most are, with fewer questions;
    of what is written otherwise the index behind is 0.
    """
    one, zero, none, size = np.uintp(1), np.uintp(0), np.int64(_NO_CATEGORY), np.uintp(text.size)
    if at + np.uintp(WORD) > size or word(text, at) << _BYTE != _ID_IS:
        return zero, none, zero, zero
    end, _ = _string(text, at + np.uintp(7), _SPACE)
    if end == zero or end + np.uintp(10) > size or word(text, end) != _THEN_NAME:
        return zero, none, zero, zero
    if word(text, end + np.uintp(2)) != _NAME_IS:
        return zero, none, zero, zero
    start, end = _name(text, end + np.uintp(9))
    if end == zero or end + np.uintp(17) > size or word(text, end) != _THEN_CATEGORY:
        return zero, none, zero, zero
    if word(text, end + np.uintp(6)) != _CATEGORY_IS:
        return zero, none, zero, zero
    behind, category = _category(text, end + np.uintp(13))
    if behind == zero or text[behind] != _CLOSE_OBJECT:
        return zero, none, zero, zero
    return behind + one, np.int64(_KEPT[np.uintp(category)]), start, end


@_part
def _tags(text, at, spans, counts):  # type: ignore[no-untyped-def]
    """Index behind a list of tags. `counts` is set to how many there are for each column of names,
    and `spans` to where these begin and end.
    """
    one, zero = np.uintp(1), np.uintp(0)
    if text[at] != _OPEN_LIST:
        return zero
    at = _blanks(text, at + one)
    if text[at] == _CLOSE_LIST:
        return at + one
    while True:
        behind, place, start, end = _usual_tag(text, at)
        if behind == zero:
            behind, place, start, end = _tag(text, at)
        if place == _NO_CATEGORY:
            return zero
        if place >= 0:
            column = np.uintp(place)
            count = counts[column]
            if count == np.uintp(_MOST_TAGS):
                return zero
            spans[column, count, 0], spans[column, count, 1] = start, end
            counts[column] = count + one
        at = _blanks(text, behind)
        if text[at] != _COMMA:
            break
        at = _blanks(text, at + one)
    return at + one if text[at] == _CLOSE_LIST else zero


@_part
def _column(text, at, columns, field):  # type: ignore[no-untyped-def]
    """Index behind the value of a column; `columns[field]` is set to where it begins and ends as
    text, and left alone where it is null.
    """
    one, zero, start = np.uintp(1), np.uintp(0), at
    if text[at] == _LOWER_N:
        return _literal(text, at)
    if field < np.uintp(_FLAGS):
        behind = end = _literal(text, at)
    elif text[at] == _QUOTE:
        start = at + one
        end, kind = _string(text, start, _SPACE)
        behind = end + one if end != zero and kind != _CONTROLS else zero
    elif field < np.uintp(_TEXTS):
        end, whole = _number(text, at)
        behind = end if whole else zero
    else:
        return zero
    if behind != zero:
        columns[field, 0], columns[field, 1] = start, end
    return behind


@_part
def _read(text, at, field, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Index behind the value of a field, with which the others are set."""
    if field == np.uintp(_UNKNOWN):
        return _value(text, at)
    if field < np.uintp(_COLUMNS):
        return _column(text, at, columns, field)
    if text[at] == _LOWER_N:
        return _literal(text, at)
    columns[field, 0] = at
    return _tags(text, at, spans, counts)


@_part
def _record(text, at, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Index behind an object. `columns` is set to where each column and the tags begin and end, 0
    where there is nothing; others are as in `_tags`.
    """
    one, zero, seen = np.uintp(1), np.uintp(0), np.uint64(0)
    columns[:, 0] = zero
    counts[:] = zero
    if text[at] != _OPEN_OBJECT:
        return zero
    start = _blanks(text, at + one)
    if text[start] == _CLOSE_OBJECT:
        return start + one
    while True:
        end, plain, at = _key(text, start)
        if at == zero or not plain:
            return zero
        field = _field(text, start + one, end)
        if seen >> np.uint64(field) & np.uint64(1) != 0:
            return zero
        if field != np.uintp(_UNKNOWN):
            seen |= np.uint64(1) << np.uint64(field)
        at = _read(text, at, field, columns, spans, counts)
        if at == zero:
            return zero
        at = _blanks(text, at)
        if text[at] != _COMMA:
            return at + one if text[at] == _CLOSE_OBJECT else zero
        start = _blanks(text, at + one)


@_part
def _of_both_shapes(columns):  # type: ignore[no-untyped-def]
    texts = False
    for field in range(np.uintp(_TEXTS), np.uintp(_COLUMNS)):
        texts |= columns[field, 0] != np.uintp(0)
    return texts and columns[np.uintp(_TAGS), 0] != np.uintp(0)


@_part
def _put_unit(unit, out, size):  # type: ignore[no-untyped-def]
    """Size of what is out with that letter as UTF-8."""
    one, low = np.uintp(1), unit & 63 | 128
    if unit < 0x80:
        out[size] = unit
        return size + one
    if unit < 0x800:
        out[size], out[size + one] = unit >> 6 | 0xC0, low
        return size + np.uintp(2)
    out[size], out[size + one] = unit >> 12 | 0xE0, unit >> 6 & 63 | 128
    out[size + np.uintp(2)] = low
    return size + np.uintp(3)


@_part
def _put(text, at, end, out, size):  # type: ignore[no-untyped-def]
    """Size of what is out with these bytes, escapes as what they stand for, and room for one byte
    behind them.
    """
    one, width = np.uintp(1), np.uintp(WIDTH)
    while at < end:
        if at + width <= np.uintp(text.size):
            copy(text, at, out, size)
            plain = min(plain_bytes(text, at, _SPACE), end - at)
            at, size = at + plain, size + plain
            if at == end or plain == width:
                continue
        if text[at] != _BACKSLASH:
            out[size] = text[at]
            at, size = at + one, size + one
        elif text[at + one] == _LOWER_U:
            size = _put_unit(_unit(text, at + np.uintp(2)), out, size)
            at += np.uintp(6)
        else:
            out[size] = text[at + one]
            at, size = at + np.uintp(2), size + one
    return size + one


@_part
def _put_all(text, columns, spans, counts, out, size):  # type: ignore[no-untyped-def]
    """Size of what is out with a line for a record."""
    one, zero = np.uintp(1), np.uintp(0)
    tagged = columns[np.uintp(_TAGS), 0] != zero
    for field in range(np.uintp(_COLUMNS)):
        if tagged and field >= np.uintp(_TEXTS):
            names = field - np.uintp(_TEXTS)
            for tag in range(counts[names]):
                size = _put(text, spans[names, tag, 0], spans[names, tag, 1], out, size)
                out[size - one] = _SPACE
            size += np.uintp(counts[names] == zero)
        elif columns[field, 0] == zero:
            out[size] = NULL
            size += np.uintp(2)
        else:
            size = _put(text, columns[field, 0], columns[field, 1], out, size)
        out[size - one] = SEPARATOR
    out[size - one] = _NEWLINE
    return size


@_part
def _line_end(text, at):  # type: ignore[no-untyped-def]
    while text[at] != _NEWLINE:
        at += np.uintp(1)
    return at


_Posts = "Tuple((uint8[::1], int64[::1], uint8[::1]))"
_Text = "Array(uint8, 1, 'C', readonly=True)"


@njit(f"{_Posts}({_Text}, int64)", cache=True, nogil=True)
def posts_in(text, longest):  # type: ignore[no-untyped-def]
    """The arrays of `PostLines`."""
    lines = 0
    for byte in text:
        lines += byte == _NEWLINE
    states, starts = np.empty(lines, np.uint8), np.zeros(lines + 1, np.int64)
    room = text.size + lines * _OVERHEAD + WIDTH
    out, size = np.empty(room, np.uint8), np.uintp(0)
    columns = np.empty((_COLUMNS + 1, 2), np.uintp)
    spans, counts = np.empty((_NAMES, _MOST_TAGS, 2), np.uintp), np.empty(_NAMES, np.uintp)
    at, one, zero = np.uintp(0), np.uintp(1), np.uintp(0)
    for line in range(np.uintp(lines)):
        start, first = at, np.uintp(_blanks(text, at))
        behind = np.uintp(_record(text, first, columns, spans, counts))
        good = behind != zero and not _of_both_shapes(columns)
        at = np.uintp(_blanks(text, behind if good else first))
        good = good and text[at] == _NEWLINE
        at = np.uintp(_line_end(text, at))
        if good and at - start <= np.uintp(longest):
            states[line] = GOOD
            size = np.uintp(_put_all(text, columns, spans, counts, out, size))
        else:
            states[line] = BLANK if at == first else UNREAD
        at += one
        starts[line + one] = at
    return states, starts, out[: np.int64(size)]
