"""Compiled reader of JSON lines with posts, as `tables.kernels.post_lines` describes it. See
`json_scan` for the rules of indices.
"""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.tables.kernels.compiled.json_scan import (
    BACKSLASH,
    CLOSE_LIST,
    CLOSE_OBJECT,
    COMMA,
    CONTROLS,
    FROM_BLANK,
    LOWER_N,
    LOWER_U,
    NEWLINE,
    NINE,
    NOWHERE,
    ONE,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    SPACE,
    STEP,
    THREE,
    TWO,
    ZERO,
    code_unit,
    equals,
    line_end,
    literal_end,
    number_end,
    read_key,
    skip_blanks,
    string_end,
    value_end,
)
from dafre_fast.tables.kernels.compiled.vectors import WORD, copy, plain_bytes, word
from dafre_fast.tables.kernels.post_lines import (
    BLANK,
    COLUMNS,
    FIELDS,
    GOOD,
    MOST_TAGS,
    NULL,
    SEPARATOR,
    UNREAD,
)

_FLAGS, _TEXTS, _COLUMNS = (np.uintp(end) for end in (4, 9, len(COLUMNS)))
"""Ends of the columns of flags, of texts and numbers, and of names."""
_TAGS, _ASSET, _UNKNOWN = (np.uintp(len(COLUMNS) + more) for more in range(3))
_OF_ASSET = tuple(
    np.uintp(COLUMNS.index(name)) for name in ("file_ext", "image_width", "image_height")
)
"""Columns that are looked for in `media_asset` if a post lacks them."""
_LONGEST_KEY = max(map(len, FIELDS))
_KEY_BYTES = np.uintp(_LONGEST_KEY)
_KEYS = np.array([list(name.encode().ljust(_LONGEST_KEY, b"\0")) for name in FIELDS], np.uint8)
_OF_LENGTH = np.full((_LONGEST_KEY + 1, 3), _UNKNOWN, np.uint8)
"""Numbers of the fields whose names have a given length."""
for _length in range(_LONGEST_KEY + 1):
    _those = [number for number, name in enumerate(FIELDS) if len(name) == _length]
    _OF_LENGTH[_length, : len(_those)] = _those
_NAME, _CATEGORY = (np.frombuffer(name, np.uint8) for name in (b"name", b"category"))
_NO_CATEGORY = np.int64(-2)
_KEPT = np.array([0, -1, _NO_CATEGORY, 1, 2, -1], np.int8)
"""The place of each category's column of names, -1 for a category that is not kept."""
_ID_IS, _THEN_NAME, _NAME_IS, _THEN_CATEGORY, _CATEGORY_IS = (
    np.frombuffer(piece, np.uint64)[0]
    for piece in (b'\0{"id":"', b'","name"', b'"name":"', b'","categ', b'egory":"')
)
_BYTE = np.uint64(8)


@inlined
def _field(text, start, end):  # type: ignore[no-untyped-def]
    """Return the number of a field by its name: a column, `_TAGS`, `_ASSET` or `_UNKNOWN`."""
    length = end - start
    if length > _KEY_BYTES:
        return _UNKNOWN
    for one in range(np.uintp(_OF_LENGTH.shape[1])):
        field = np.uintp(_OF_LENGTH[length, one])
        if field == _UNKNOWN:
            break
        place = NOWHERE
        while place < length and text[start + place] == _KEYS[field, place]:
            place += ONE
        if place == length:
            return field
    return _UNKNOWN


@inlined
def _category(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind a category, a digit or a string of one, and the category."""
    quoted = text[at] == QUOTE
    at += np.uintp(quoted)
    number = np.int64(text[at]) - ZERO
    if number < 0 or number >= _KEPT.size or (quoted and text[at + ONE] != QUOTE):
        return NOWHERE, np.int64(-1)
    at += ONE + np.uintp(quoted)
    return (at if quoted or not ZERO <= text[at] <= NINE else NOWHERE), number


@inlined
def _name(text, at):  # type: ignore[no-untyped-def]
    """Return the indices at which the name of a tag begins and ends, 0 if it is not plain."""
    start = at + ONE
    if text[at] != QUOTE:
        return NOWHERE, NOWHERE
    end, kind = string_end(text, start, FROM_BLANK + 1)
    if kind == CONTROLS or end == start:
        return NOWHERE, NOWHERE
    return start, end


@inlined
def _tag(text, at):  # type: ignore[no-untyped-def]
    """Return the index behind an object with a name and a category, the place of the category's
    column, and the indices at which the name begins and ends.
    """
    start, end = NOWHERE, NOWHERE
    category, again = np.int64(-1), text[at] != OPEN_OBJECT
    while not again:
        key = skip_blanks(text, at + ONE)
        key_end, plain, at = read_key(text, key)
        if at == NOWHERE or not plain:
            break
        if equals(text, key + ONE, key_end, _NAME):
            again = end != NOWHERE
            start, end = _name(text, at)
            at = end + ONE if end != NOWHERE else NOWHERE
        elif equals(text, key + ONE, key_end, _CATEGORY):
            again = category >= 0
            at, category = _category(text, at)
        else:
            at = value_end(text, at)
        if at == NOWHERE:
            break
        at = skip_blanks(text, at)
        if text[at] == CLOSE_OBJECT and end != NOWHERE and category >= 0 and not again:
            return at + ONE, np.int64(_KEPT[np.uintp(category)]), start, end
        if text[at] != COMMA:
            break
    return NOWHERE, _NO_CATEGORY, start, end


@inlined
def _usual_tag(text, at):  # type: ignore[no-untyped-def]
    """Return the same as `_tag`, with fewer steps, for a tag written as most are:
    `{"id":"1","name":"solo","category":"0"}`. Of any other, the index is 0.
    """
    size = np.uintp(text.size)
    if at + np.uintp(WORD) > size or word(text, at) << _BYTE != _ID_IS:
        return NOWHERE, _NO_CATEGORY, NOWHERE, NOWHERE
    end, _ = string_end(text, at + np.uintp(7), FROM_BLANK)
    if end == NOWHERE or end + np.uintp(10) > size or word(text, end) != _THEN_NAME:
        return NOWHERE, _NO_CATEGORY, NOWHERE, NOWHERE
    if word(text, end + TWO) != _NAME_IS:
        return NOWHERE, _NO_CATEGORY, NOWHERE, NOWHERE
    start, end = _name(text, end + np.uintp(9))
    if end == NOWHERE or end + np.uintp(17) > size or word(text, end) != _THEN_CATEGORY:
        return NOWHERE, _NO_CATEGORY, NOWHERE, NOWHERE
    if word(text, end + np.uintp(6)) != _CATEGORY_IS:
        return NOWHERE, _NO_CATEGORY, NOWHERE, NOWHERE
    behind, category = _category(text, end + np.uintp(13))
    if behind == NOWHERE or text[behind] != CLOSE_OBJECT:
        return NOWHERE, _NO_CATEGORY, NOWHERE, NOWHERE
    return behind + ONE, np.int64(_KEPT[np.uintp(category)]), start, end


@inlined
def _tags(text, at, spans, counts):  # type: ignore[no-untyped-def]
    """Return the index behind a list of tags. Sets `counts`, the number of names for each column of
    names, and `spans`, the indices at which these begin and end.
    """
    if text[at] != OPEN_LIST:
        return NOWHERE
    at = skip_blanks(text, at + ONE)
    if text[at] == CLOSE_LIST:
        return at + ONE
    while True:
        behind, place, start, end = _usual_tag(text, at)
        if behind == NOWHERE:
            behind, place, start, end = _tag(text, at)
        if place == _NO_CATEGORY:
            return NOWHERE
        if place >= 0:
            column = np.uintp(place)
            count = counts[column]
            if count == np.uintp(MOST_TAGS):
                return NOWHERE
            spans[column, count, 0], spans[column, count, 1] = start, end
            counts[column] = count + ONE
        at = skip_blanks(text, behind)
        if text[at] != COMMA:
            break
        at = skip_blanks(text, at + ONE)
    return at + ONE if text[at] == CLOSE_LIST else NOWHERE


@inlined
def _column(text, at, columns, field):  # type: ignore[no-untyped-def]
    """Return the index behind the value of a column. Sets `columns[field]` to the indices at which
    its text begins and ends, unless it is null.
    """
    start = at
    if text[at] == LOWER_N:
        return literal_end(text, at)
    if field < _FLAGS:
        behind = end = literal_end(text, at)
    elif text[at] == QUOTE:
        start = at + ONE
        end, kind = string_end(text, start, FROM_BLANK)
        behind = end + ONE if end != NOWHERE and kind != CONTROLS else NOWHERE
    elif field < _TEXTS:
        end, whole = number_end(text, at)
        behind = end if whole else NOWHERE
    else:
        return NOWHERE
    if behind != NOWHERE:
        columns[field, 0], columns[field, 1] = start, end
    return behind


@inlined
def _has_no_tag(text, at):  # type: ignore[no-untyped-def]
    """Return whether a value is a text, an empty list, or a list that begins with a text."""
    first = text[at]
    if first == OPEN_LIST:
        first = text[skip_blanks(text, at + ONE)]
    return first in (QUOTE, CLOSE_LIST)


@inlined
def _read(text, at, field, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Return the index behind the value of a field, and set what is read of it."""
    if field == _UNKNOWN:
        return value_end(text, at)
    if field < _COLUMNS:
        return _column(text, at, columns, field)
    if text[at] == LOWER_N:
        return literal_end(text, at)
    if field == _ASSET:
        columns[field, 0] = at
        return value_end(text, at)
    if _has_no_tag(text, at):  # what matters then are other fields
        return value_end(text, at)
    columns[field, 0] = at
    return _tags(text, at, spans, counts)


@inlined
def _record(text, at, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Return the index behind an object. Sets `columns` to the indices at which each column and the
    tags begin and end, 0 for a missing one; `spans` and `counts` are as in `_tags`.
    """
    seen = np.uint64(0)
    columns[:, 0] = NOWHERE
    counts[:] = NOWHERE
    if text[at] != OPEN_OBJECT:
        return NOWHERE
    start = skip_blanks(text, at + ONE)
    if text[start] == CLOSE_OBJECT:
        return start + ONE
    while True:
        end, plain, at = read_key(text, start)
        if at == NOWHERE or not plain:
            return NOWHERE
        field = _field(text, start + ONE, end)
        if seen >> np.uint64(field) & np.uint64(1) != 0:
            return NOWHERE
        if field != _UNKNOWN:
            seen |= np.uint64(1) << np.uint64(field)
        at = _read(text, at, field, columns, spans, counts)
        if at == NOWHERE:
            return NOWHERE
        at = skip_blanks(text, at)
        if text[at] != COMMA:
            return at + ONE if text[at] == CLOSE_OBJECT else NOWHERE
        start = skip_blanks(text, at + ONE)


@inlined
def _of_one_shape(columns):  # type: ignore[no-untyped-def]
    """Return whether a record has tags in exactly one of the two shapes."""
    texts = False
    for field in range(_TEXTS, _COLUMNS):
        texts |= columns[field, 0] != NOWHERE
    return texts != (columns[_TAGS, 0] != NOWHERE)


@inlined
def _needs_asset(columns):  # type: ignore[no-untyped-def]
    """Return whether a record has a `media_asset`, and lacks a column that may be in there."""
    lacks = False
    for field in _OF_ASSET:
        lacks |= columns[field, 0] == NOWHERE
    return lacks and columns[_ASSET, 0] != NOWHERE


@inlined
def _put_unit(unit, out, size):  # type: ignore[no-untyped-def]
    """Append a character of the basic plane as UTF-8 and return the new size of `out`."""
    low = unit & 63 | 128
    if unit < 0x80:
        out[size] = unit
        return size + ONE
    if unit < 0x800:
        out[size], out[size + ONE] = unit >> 6 | 0xC0, low
        return size + TWO
    out[size], out[size + ONE] = unit >> 12 | 0xE0, unit >> 6 & 63 | 128
    out[size + TWO] = low
    return size + THREE


@inlined
def _put(text, at, end, out, size):  # type: ignore[no-untyped-def]
    """Append the bytes from `at` to `end`, with escapes decoded, and room for one byte. Return the
    new size of `out`.
    """
    while at < end:
        if at + STEP <= np.uintp(text.size):
            copy(text, at, out, size)
            plain = min(plain_bytes(text, at, FROM_BLANK), end - at)
            at, size = at + plain, size + plain
            if at == end or plain == STEP:
                continue
        if text[at] != BACKSLASH:
            out[size] = text[at]
            at, size = at + ONE, size + ONE
        elif text[at + ONE] == LOWER_U:
            size = _put_unit(code_unit(text, at + TWO), out, size)
            at += np.uintp(6)
        else:
            out[size] = text[at + ONE]
            at, size = at + TWO, size + ONE
    return size + ONE


@inlined
def _put_all(text, columns, spans, counts, out, size):  # type: ignore[no-untyped-def]
    """Append the line of a record and return the new size of `out`."""
    tagged = columns[_TAGS, 0] != NOWHERE
    for field in range(_COLUMNS):
        if tagged and field >= _TEXTS:
            names = field - _TEXTS
            for tag in range(counts[names]):
                size = _put(text, spans[names, tag, 0], spans[names, tag, 1], out, size)
                out[size - ONE] = SPACE
            size += np.uintp(counts[names] == NOWHERE)
        elif columns[field, 0] == NOWHERE:
            out[size] = NULL
            size += TWO
        else:
            size = _put(text, columns[field, 0], columns[field, 1], out, size)
        out[size - ONE] = SEPARATOR
    out[size - ONE] = NEWLINE
    return size


def posts_in(text, longest, states, starts, out, columns, spans, counts):  # type: ignore[no-untyped-def]
    """Fill the arrays of `PostLines` and return the size of its text. `columns`, `spans` and
    `counts` are room for what is found in a line, see `_record`.
    """
    lines, size = states.size, NOWHERE
    at = NOWHERE
    for line in range(np.uintp(lines)):
        start, first = at, np.uintp(skip_blanks(text, at))
        behind = np.uintp(_record(text, first, columns, spans, counts))
        good = behind != NOWHERE and _of_one_shape(columns) and not _needs_asset(columns)
        at = np.uintp(skip_blanks(text, behind if good else first))
        good = good and text[at] == NEWLINE
        at = np.uintp(line_end(text, at))
        if good and at - start <= np.uintp(longest):
            states[line] = GOOD
            size = np.uintp(_put_all(text, columns, spans, counts, out, size))
        else:
            states[line] = BLANK if at == first else UNREAD
        at += ONE
        starts[line + ONE] = at
    return np.int64(size)
