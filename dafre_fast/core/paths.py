"""Paths of files as text that tables and JSON can hold.

The name of a file is bytes. Python reads those that are not UTF-8 into lone surrogates, which no
table can hold. As text each such byte is `\\xhh`. So that this can be read back, the backslash of a
name that has those very letters is `\\x5c`. All other names stay as they are.
"""

import os
import re

_LIKE_AN_ESCAPE = re.compile(r"\\(?=x[0-9a-f]{2})")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def to_text(path: str) -> str:
    """Return a path as text for records: `caf\\xe9.png` for the bytes of a name in Latin-1."""
    if path.isascii() and "\\x" not in path:
        return path
    path = _LIKE_AN_ESCAPE.sub(r"\\x5c", path)
    return os.fsencode(path).decode(errors="backslashreplace")


def from_text(text: str) -> str:
    """Return the path that `to_text` made text of, as the functions of `os` take it."""
    if "\\x" not in text:
        return text
    path = _ESCAPE.sub(lambda match: bytes([int(match[1], 16)]), os.fsencode(text))
    return os.fsdecode(path)
