"""Compiled rewriting of JSON texts, whatever their layout, as lines with a record in each.

A text is a sequence of records (objects), of arrays of records, or both, as `json.dump` writes a
list, as APIs answer page by page, or pretty-printed. A record ends where its brackets do; what is
no record, such as a number in an array, gets a line of its own, too, so that nothing is lost.
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
    NEWLINE,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    SPACE,
    part,
)

DEPTH, IN_ARRAY, IN_STRING, ESCAPED, LINE, RECORDS, OPEN = range(7)
"""Places in the state of a text: the open levels, whether records stand in an array, whether a
string is open, whether its next character is escaped, the line (from 1), the number of records that
have ended, and that of the open record (see `Rewritten`), 0 if none is open.
"""


class Rewritten(NamedTuple):
    """`text` uint8: the lines. `numbers` uint32: for each line that ends in it, the line of the
    text in which its record begins; in the first line, where all of an array may stand, the
    record's place there (both from 1).
    """

    text: NDArray[np.uint8]
    numbers: NDArray[np.uint32]


def first_state() -> NDArray[np.int64]:
    """Return the state at the beginning of a text."""
    state = np.zeros(OPEN + 1, np.int64)
    state[LINE] = 1
    return state


def rewrite(text: NDArray[np.uint8], state: NDArray[np.int64]) -> Rewritten:
    """Rewrite the next part of a text, and set `state` for the one that follows."""
    return Rewritten(*lines_in(text, state))


@part
def _structure(byte, depth, in_array):  # type: ignore[no-untyped-def]
    """Return whether a byte outside strings is kept, whether it ends a record, and the levels and
    the array that are open behind it.
    """
    if byte == NEWLINE:
        return depth > in_array, depth <= in_array, depth, in_array
    if byte == COMMA:
        return depth != in_array, depth == in_array, depth, in_array
    if byte == OPEN_LIST and depth == 0:
        return False, True, depth + 1, in_array + 1
    if byte in (OPEN_LIST, OPEN_OBJECT):
        return True, False, depth + 1, in_array
    if byte == CLOSE_LIST and depth == in_array == 1:
        return False, True, depth - 1, in_array - 1
    if byte in (CLOSE_LIST, CLOSE_OBJECT) and depth > in_array:
        return True, depth == 1, depth - 1, in_array
    return True, False, depth, in_array


@kernel(
    "Tuple((uint8[::1], uint32[::1]))(Array(uint8, 1, 'C', readonly=True), int64[::1])", nogil=True
)
def lines_in(text, state):  # type: ignore[no-untyped-def]
    """Return the arrays of `Rewritten`."""
    depth, in_array, in_string, escaped, line, records, record = state
    out, numbers = np.empty(2 * text.size, np.uint8), np.empty(2 * text.size, np.uint32)
    size, lines = 0, 0
    for byte in text:
        kept, ends = True, False
        if in_string != 0 and byte == NEWLINE:  # damage: the record ends, and costs no other
            in_string, escaped, depth = 0, 0, in_array
        if in_string != 0:
            in_string = np.int64(byte != QUOTE or escaped != 0)
            escaped = np.int64(byte == BACKSLASH and escaped == 0)
        else:
            in_string = np.int64(byte == QUOTE)
            kept, ends, depth, in_array = _structure(byte, depth, in_array)
        if kept:
            out[size] = SPACE if byte == NEWLINE else byte
            size += 1
            if record == 0 and byte > SPACE:
                record = line if line > 1 else records + 1
        if ends:
            out[size] = NEWLINE
            numbers[lines] = record
            records += record > 0
            size, lines, record = size + 1, lines + 1, 0
        line += byte == NEWLINE
    state[:] = depth, in_array, in_string, escaped, line, records, record
    return out[:size], numbers[:lines]
