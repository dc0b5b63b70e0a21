"""Parser of faces.tsv and tagIds.tsv: from bytes to arrays with an element per line.

It reads good rows and recognizes blank lines. For all others `dafre_fast.tables.row_problems` finds
the problem. Trailing blanks (spaces, tabs, CR) do not count.

Boxes: the published faces.tsv writes `left, top, right, bottom confidence`; its README describes
`left,top,right,bottom,confidence`. Both are read, and nothing else. A number is decimal digits with
at most one point and an optional exponent. It may have a sign: a negative edge is judged later,
with the picture at hand. `nan` and `inf` are not numbers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel
from dafre_fast.tables.kernels.lines import count_lines
from dafre_fast.tables.row_problems import LONGEST

BLANK, GOOD, UNREAD = 0, 1, 2
"""States of a line: not a row, a row that was read, a row that was not."""

_SOURCE = f"{__package__}.compiled.row_lines"
_FACES = Kernel(
    f"{_SOURCE}:faces_in",
    "void(uint8[::1], int64, uint8[::1], int64[::1], int64[::1], int64[::1], float32[:, ::1],"
    " float64[::1])",
)
_TAGS = Kernel(
    f"{_SOURCE}:tags_in", "void(uint8[::1], int64, uint8[::1], int64[::1], int64[::1], int64[::1])"
)


class FaceLines(NamedTuple):
    """N lines of faces.tsv: `states` uint8 (N,); `starts` int64 (N,), the index of the first byte;
    `ids` and `tag_ids` int64 (N,), -1 in a row that was not read; `numbers` float32 (5, N): left,
    top, right, bottom in shares of width and height, and confidence; NaN in a row that was not
    read.
    """

    states: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ids: NDArray[np.int64]
    tag_ids: NDArray[np.int64]
    numbers: NDArray[np.float32]


class TagLines(NamedTuple):
    """N lines of tagIds.tsv: `states` uint8 (N,); `starts` and `name_ends` int64 (N,), the indices
    of the name's first byte and of the byte behind it; `tag_ids` int64 (N,), -1 if there is none.
    A row whose name is not all ASCII is not called good, though its tag id is read.
    """

    states: NDArray[np.uint8]
    starts: NDArray[np.int64]
    name_ends: NDArray[np.int64]
    tag_ids: NDArray[np.int64]


def parse_faces(text: NDArray[np.uint8]) -> FaceLines:
    """Read all lines of a text, which is contiguous."""
    lines = count_lines(text)
    found = FaceLines(
        np.empty(lines, np.uint8),
        np.empty(lines, np.int64),
        np.full(lines, -1, np.int64),
        np.full(lines, -1, np.int64),
        np.full((5, lines), np.nan, np.float32),
    )
    _FACES(text, LONGEST, *found, np.empty(5, np.float64))
    return found


def parse_tags(text: NDArray[np.uint8]) -> TagLines:
    """Read all lines of a text, which is contiguous."""
    lines = count_lines(text)
    found = TagLines(np.empty(lines, np.uint8), *np.empty((3, lines), np.int64))
    _TAGS(text, LONGEST, *found)
    return found
