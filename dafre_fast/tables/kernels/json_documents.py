"""Rewriting of JSON texts, whatever their layout, as lines with a record in each.

A text is a sequence of records (objects), of arrays of records, or both, as `json.dump` writes a
list, as APIs answer page by page, or pretty-printed. A record ends where its brackets do; what is
no record, such as a number in an array, gets a line of its own, too, so that nothing is lost.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel

DEPTH, IN_ARRAY, IN_STRING, ESCAPED, LINE, RECORDS, OPEN = range(7)
"""Places in the state of a text: the open levels, whether records stand in an array, whether a
string is open, whether its next character is escaped, the line (from 1), the number of records that
have ended, and that of the open record (see `Rewritten`), 0 if none is open.
"""


_REWRITE = Kernel(
    f"{__package__}.compiled.json_documents:rewrite",
    "void(uint8[::1], int64[::1], uint8[::1], uint32[::1], int64[::1])",
)


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
    out, numbers = np.empty(2 * text.size, np.uint8), np.empty(2 * text.size, np.uint32)
    sizes = np.empty(2, np.int64)
    _REWRITE(text, state, out, numbers, sizes)
    return Rewritten(out[: sizes[0]].copy(), numbers[: sizes[1]].copy())
