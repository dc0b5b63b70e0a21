"""Find the problem with a row of faces.tsv or tagIds.tsv that the compiled parser could not read.

This is plain Python, a line at a time: `dafre_fast.tables.kernels.row_lines` leaves few rows to it.
"""

import re

from dafre_fast.core.reasons import RowProblem

LONGEST = 65_536
"""Bytes of the longest line that can be a row: the slow reader needs a bound."""

_MOST_DIGITS = 18
_PATH = re.compile(rb"(?:([0-9]+)[/\\])?([0-9]+)\.[0-9A-Za-z]+")
_WHOLE = re.compile(rb"[0-9]+")
# No text can match in two ways, so that one pass is enough for any line of digits or spaces.
_NUMBER = rb"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+"
_BOX = re.compile(rb"(?: ++(?:, *+)?+|, *+)".join([_NUMBER] * 5))
_BETWEEN_NUMBERS = re.compile(rb"[ ,;|]+")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def problem_of_face(line: bytes) -> RowProblem:
    """Return the problem with a line of faces.tsv that the parser could not read."""
    if problem := _problem_of_columns(line, 3):
        return problem
    path, tag_id, box = line.rstrip(b" \t\r").split(b"\t")
    if problem := _problem_of_path(path):
        return problem
    if not _is_id(tag_id):
        return RowProblem.BAD_TAG_ID
    return _problem_of_box(box)


def problem_of_tag(line: bytes) -> RowProblem | None:
    """Return the problem with a line of tagIds.tsv that the parser did not call good, None if it
    is.
    """
    if problem := _problem_of_columns(line, 2):
        return problem
    name, tag_id = line.rstrip(b" \t\r").split(b"\t")
    if not name.strip(b" "):
        return RowProblem.EMPTY_NAME
    if _CONTROL.search(name):
        return RowProblem.BAD_NAME
    return None if _is_id(tag_id) else RowProblem.BAD_TAG_ID


def _problem_of_columns(line: bytes, columns: int) -> RowProblem | None:
    if len(line) > LONGEST:
        return RowProblem.TOO_LONG
    try:
        line.decode()
    except UnicodeDecodeError:
        return RowProblem.NOT_UTF8
    tabs = line.rstrip(b" \t\r").count(b"\t")
    if tabs < columns - 1:
        return RowProblem.MISSING_COLUMNS
    return RowProblem.EXTRA_COLUMNS if tabs > columns - 1 else None


def _problem_of_path(path: bytes) -> RowProblem | None:
    match = _PATH.fullmatch(path)
    if not match or not _is_id(match[2]):
        return RowProblem.BAD_PATH
    agrees = match[1] is None or match[1].lstrip(b"0") == match[2][-3:].lstrip(b"0")
    return None if agrees else RowProblem.WRONG_FOLDER


def _problem_of_box(box: bytes) -> RowProblem:
    if _BOX.fullmatch(box):
        confidence = float(_BETWEEN_NUMBERS.split(box)[4])
        return RowProblem.BAD_BOX_TEXT if 0 <= confidence <= 1 else RowProblem.BAD_CONFIDENCE
    numbers = _BETWEEN_NUMBERS.split(box)
    heads, rest = divmod(len(numbers), 5)
    if heads > 1 and not rest and all(re.fullmatch(_NUMBER, number) for number in numbers):
        return RowProblem.SEVERAL_HEADS
    return RowProblem.BAD_BOX_TEXT


def _is_id(digits: bytes) -> bool:
    return bool(_WHOLE.fullmatch(digits)) and len(digits.lstrip(b"0")) <= _MOST_DIGITS
