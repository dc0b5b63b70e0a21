"""Lines of JSON with posts, in either shape, from bytes to text that need only be split: jitted.

A line is read here where it is plain: an object of strict JSON (RFC 8259) and UTF-8 (table 3-7 of
the Unicode Standard), in which a field that is wanted is there once at most and of the type that it
should have, and each tag has a category that there is and a name without blanks. Escapes are read
where each is one letter, and no blank. All other lines are told from blank ones alone, and
`json_lines` looks closer.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import kernel
from dafre_fast.tables.kernels.json_scan import (
    BACKSLASH,
    CLOSE_LIST,
    CLOSE_OBJECT,
    COMMA,
    CONTROLS,
    LOWER_N,
    LOWER_U,
    NEWLINE,
    NINE,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    SPACE,
    ZERO,
    code_unit,
    equals,
    line_end,
    literal_end,
    number_end,
    part,
    read_key,
    skip_blanks,
    string_end,
    value_end,
)
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
_ID_IS, _THEN_NAME, _NAME_IS, _THEN_CATEGORY, _CATEGORY_IS = (
    np.frombuffer(piece, np.uint64)[0]
    for piece in (b'\0{"id":"', b'","name"', b'"name":"', b'","categ', b'egory":"')
)
_BYTE = np.uint64(8)
_MOST_TAGS = 2048
_OVERHEAD = 2 * _COLUMNS
"""Bytes of text, at most, for a line of which nothing is wanted: it has two at least."""


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


@part
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


@part
def _category(text, at):  # type: ignore[no-untyped-def]
    """Index behind a category, a digit or that as a string, and the category; -1 for none."""
    one = np.uintp(1)
    quoted = text[at] == QUOTE
    at += np.uintp(quoted)
    number = np.int64(text[at]) - ZERO
    if number < 0 or number >= _KEPT.size or (quoted and text[at + one] != QUOTE):
        return np.uintp(0), np.int64(-1)
    at += one + np.uintp(quoted)
    return (at if quoted or not ZERO <= text[at] <= NINE else np.uintp(0)), number


@part
def _name(text, at):  # type: ignore[no-untyped-def]
    """Where a name of a tag begins and ends, 0 where there is none or it is not plain."""
    zero, start = np.uintp(0), at + np.uintp(1)
    if text[at] != QUOTE:
        return zero, zero
    end, kind = string_end(text, start, SPACE + 1)
    if kind == CONTROLS or end == start:
        return zero, zero
    return start, end


@part
def _tag(text, at):  # type: ignore[no-untyped-def]
    """Index behind an object with a name and a category, the place of the category's column, and
    where the name begins and ends.
    """
    one, zero, start, end = np.uintp(1), np.uintp(0), np.uintp(0), np.uintp(0)
    category, again = np.int64(-1), text[at] != OPEN_OBJECT
    while not again:
        key = skip_blanks(text, at + one)
        key_end, plain, at = read_key(text, key)
        if at == zero or not plain:
            break
        if equals(text, key + one, key_end, _NAME):
            again = end != zero
            start, end = _name(text, at)
            at = end + one if end != zero else zero
        elif equals(text, key + one, key_end, _CATEGORY):
            again = category >= 0
            at, category = _category(text, at)
        else:
            at = value_end(text, at)
        if at == zero:
            break
        at = skip_blanks(text, at)
        if text[at] == CLOSE_OBJECT and end != zero and category >= 0 and not again:
            return at + one, np.int64(_KEPT[np.uintp(category)]), start, end
        if text[at] != COMMA:
            break
    return zero, np.int64(_NO_CATEGORY), start, end


@part
def _usual_tag(text, at):  # type: ignore[no-untyped-def]
    """As `_tag` of `{"id":"1","name":"solo","category":"0"}`, which most are, with fewer questions;
    of what is written otherwise the index behind is 0.
    """
    one, zero, none, size = np.uintp(1), np.uintp(0), np.int64(_NO_CATEGORY), np.uintp(text.size)
    if at + np.uintp(WORD) > size or word(text, at) << _BYTE != _ID_IS:
        return zero, none, zero, zero
    end, _ = string_end(text, at + np.uintp(7), SPACE)
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
    if behind == zero or text[behind] != CLOSE_OBJECT:
        return zero, none, zero, zero
    return behind + one, np.int64(_KEPT[np.uintp(category)]), start, end


@part
def _tags(text, at, spans, counts):  # type: ignore[no-untyped-def]
    """Index behind a list of tags. `counts` is set to how many there are for each column of names,
    and `spans` to where these begin and end.
    """
    one, zero = np.uintp(1), np.uintp(0)
    if text[at] != OPEN_LIST:
        return zero
    at = skip_blanks(text, at + one)
    if text[at] == CLOSE_LIST:
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
        at = skip_blanks(text, behind)
        if text[at] != COMMA:
            break
        at = skip_blanks(text, at + one)
    return at + one if text[at] == CLOSE_LIST else zero


@part
def _column(text, at, columns, field):  # type: ignore[no-untyped-def]
    """Index behind the value of a column; `columns[field]` is set to where it begins and ends as
    text, and left alone where it is null.
    """
    one, zero, start = np.uintp(1), np.uintp(0), at
    if text[at] == LOWER_N:
        return literal_end(text, at)
    if field < np.uintp(_FLAGS):
        behind = end = literal_end(text, at)
    elif text[at] == QUOTE:
        start = at + one
        end, kind = string_end(text, start, SPACE)
        behind = end + one if end != zero and kind != CONTROLS else zero
    elif field < np.uintp(_TEXTS):
        end, whole = number_end(text, at)
        behind = end if whole else zero
    else:
        return zero
    if behind != zero:
        columns[field, 0], columns[field, 1] = start, end
    return behind


@part
def _read(text, at, field, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Index behind the value of a field, with which the others are set."""
    if field == np.uintp(_UNKNOWN):
        return value_end(text, at)
    if field < np.uintp(_COLUMNS):
        return _column(text, at, columns, field)
    if text[at] == LOWER_N:
        return literal_end(text, at)
    columns[field, 0] = at
    return _tags(text, at, spans, counts)


@part
def _record(text, at, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Index behind an object. `columns` is set to where each column and the tags begin and end, 0
    where there is nothing; others are as in `_tags`.
    """
    one, zero, seen = np.uintp(1), np.uintp(0), np.uint64(0)
    columns[:, 0] = zero
    counts[:] = zero
    if text[at] != OPEN_OBJECT:
        return zero
    start = skip_blanks(text, at + one)
    if text[start] == CLOSE_OBJECT:
        return start + one
    while True:
        end, plain, at = read_key(text, start)
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
        at = skip_blanks(text, at)
        if text[at] != COMMA:
            return at + one if text[at] == CLOSE_OBJECT else zero
        start = skip_blanks(text, at + one)


@part
def _of_both_shapes(columns):  # type: ignore[no-untyped-def]
    texts = False
    for field in range(np.uintp(_TEXTS), np.uintp(_COLUMNS)):
        texts |= columns[field, 0] != np.uintp(0)
    return texts and columns[np.uintp(_TAGS), 0] != np.uintp(0)


@part
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


@part
def _put(text, at, end, out, size):  # type: ignore[no-untyped-def]
    """Size of what is out with these bytes, escapes as what they stand for, and room for one byte
    behind them.
    """
    one, width = np.uintp(1), np.uintp(WIDTH)
    while at < end:
        if at + width <= np.uintp(text.size):
            copy(text, at, out, size)
            plain = min(plain_bytes(text, at, SPACE), end - at)
            at, size = at + plain, size + plain
            if at == end or plain == width:
                continue
        if text[at] != BACKSLASH:
            out[size] = text[at]
            at, size = at + one, size + one
        elif text[at + one] == LOWER_U:
            size = _put_unit(code_unit(text, at + np.uintp(2)), out, size)
            at += np.uintp(6)
        else:
            out[size] = text[at + one]
            at, size = at + np.uintp(2), size + one
    return size + one


@part
def _put_all(text, columns, spans, counts, out, size):  # type: ignore[no-untyped-def]
    """Size of what is out with a line for a record."""
    one, zero = np.uintp(1), np.uintp(0)
    tagged = columns[np.uintp(_TAGS), 0] != zero
    for field in range(np.uintp(_COLUMNS)):
        if tagged and field >= np.uintp(_TEXTS):
            names = field - np.uintp(_TEXTS)
            for tag in range(counts[names]):
                size = _put(text, spans[names, tag, 0], spans[names, tag, 1], out, size)
                out[size - one] = SPACE
            size += np.uintp(counts[names] == zero)
        elif columns[field, 0] == zero:
            out[size] = NULL
            size += np.uintp(2)
        else:
            size = _put(text, columns[field, 0], columns[field, 1], out, size)
        out[size - one] = SEPARATOR
    out[size - one] = NEWLINE
    return size


_Posts = "Tuple((uint8[::1], int64[::1], uint8[::1]))"
_Text = "Array(uint8, 1, 'C', readonly=True)"


@kernel(f"{_Posts}({_Text}, int64)", nogil=True)
def posts_in(text, longest):  # type: ignore[no-untyped-def]
    """The arrays of `PostLines`."""
    lines = 0
    for byte in text:
        lines += byte == NEWLINE
    states, starts = np.empty(lines, np.uint8), np.zeros(lines + 1, np.int64)
    room = text.size + lines * _OVERHEAD + WIDTH
    out, size = np.empty(room, np.uint8), np.uintp(0)
    columns = np.empty((_COLUMNS + 1, 2), np.uintp)
    spans, counts = np.empty((_NAMES, _MOST_TAGS, 2), np.uintp), np.empty(_NAMES, np.uintp)
    at, one, zero = np.uintp(0), np.uintp(1), np.uintp(0)
    for line in range(np.uintp(lines)):
        start, first = at, np.uintp(skip_blanks(text, at))
        behind = np.uintp(_record(text, first, columns, spans, counts))
        good = behind != zero and not _of_both_shapes(columns)
        at = np.uintp(skip_blanks(text, behind if good else first))
        good = good and text[at] == NEWLINE
        at = np.uintp(line_end(text, at))
        if good and at - start <= np.uintp(longest):
            states[line] = GOOD
            size = np.uintp(_put_all(text, columns, spans, counts, out, size))
        else:
            states[line] = BLANK if at == first else UNREAD
        at += one
        starts[line + one] = at
    return states, starts, out[: np.int64(size)]
