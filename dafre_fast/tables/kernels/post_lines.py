"""Reader of JSON lines with posts, in both shapes: from bytes to columns of plain text.

It reads plain lines: one object of strict JSON in which each wanted field occurs at most once and
has its proper type, there are tags in one of the shapes, each tag has a known category and a name
without blanks, and each escape is one character but no blank. It leaves all other lines to
`dafre_fast.tables.json_lines`, and only recognizes blank ones. See `json_scan` for the rules of
indices.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel
from dafre_fast.tables.kernels.lines import count_ends

BLANK, GOOD, UNREAD = 0, 1, 2
"""States of a line: not a row, a row that was read, a row that was not."""
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
"""Columns of the text. The first one never begins with a byte order mark, which polars drops."""
SEPARATOR, NULL = 31, 30
"""Bytes of the text that separate columns and stand for a missing value; JSON has neither."""

FIELDS = (*COLUMNS, "tags", "media_asset")
"""Names of the fields that are read: the columns, and what they may be made of."""
MOST_TAGS = 2048
"""Most tags of a category; a line with more is not read."""
WIDTH = 16
"""Bytes that are read and written at once; most strings in metadata are shorter."""

_NAMES = 3
_OVERHEAD = 2 * len(COLUMNS)
"""Most bytes of text for a line without wanted fields: two for each column."""
_POSTS = Kernel(
    f"{__package__}.compiled.post_lines:posts_in",
    "int64(uint8[::1], int64, uint8[::1], int64[::1], uint8[::1], uint64[:, ::1],"
    " uint64[:, :, ::1], uint64[::1])",
)


class PostLines(NamedTuple):
    """N lines: `states` uint8 (N,); `starts` int64 (N + 1,), the index of each line's first byte,
    and the one behind the last line; `text` uint8, `COLUMNS` of each good line, between separators.
    """

    states: NDArray[np.uint8]
    starts: NDArray[np.int64]
    text: NDArray[np.uint8]


def parse_posts(text: NDArray[np.uint8], longest: int) -> PostLines:
    """Read all lines of a text that end in a line feed. `text` is uint8 and contiguous. Lines of
    more than `longest` bytes are not read.
    """
    lines = count_ends(text)
    states, starts = np.empty(lines, np.uint8), np.zeros(lines + 1, np.int64)
    out = np.empty(text.size + lines * _OVERHEAD + WIDTH, np.uint8)
    columns, counts = np.empty((len(FIELDS), 2), np.uint64), np.empty(_NAMES, np.uint64)
    spans = np.empty((_NAMES, MOST_TAGS, 2), np.uint64)
    size = _POSTS(text, longest, states, starts, out, columns, spans, counts)
    return PostLines(states, starts, out[:size])
