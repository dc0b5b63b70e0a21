"""Compiled rewriting of JSON texts, as `tables.kernels.json_documents` describes it."""

import numpy as np

from dafre_fast.core.compiled.inlined import inlined
from dafre_fast.tables.kernels.compiled.json_scan import (
    BACKSLASH,
    CLOSE_LIST,
    CLOSE_OBJECT,
    COMMA,
    NEWLINE,
    OPEN_LIST,
    OPEN_OBJECT,
    QUOTE,
    SPACE,
)
from dafre_fast.tables.kernels.json_documents import (
    DEPTH,
    ESCAPED,
    IN_ARRAY,
    IN_STRING,
    LINE,
    OPEN,
    RECORDS,
)


@inlined
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


def rewrite(text, state, out, numbers, sizes):  # type: ignore[no-untyped-def]
    """Fill the arrays of `Rewritten`, write how much of each to `sizes`, and set the state."""
    depth, in_array, in_string = state[DEPTH], state[IN_ARRAY], state[IN_STRING]
    escaped, line, records, record = state[ESCAPED], state[LINE], state[RECORDS], state[OPEN]
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
    sizes[0], sizes[1] = size, lines
    state[DEPTH], state[IN_ARRAY], state[IN_STRING] = depth, in_array, in_string
    state[ESCAPED], state[LINE], state[RECORDS], state[OPEN] = escaped, line, records, record
