"""A slow, obvious model of each table's lines: regular expressions, int() and float()."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from dafre_fast.core.errors import InputError

NUMBER = r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?0*[0-9]{1,18})?)"
_SEPARATOR = r"(?: +,? *|, *)"
_BOX = re.compile(_SEPARATOR.join([NUMBER] * 5))
_PATH = re.compile(r"(?:([0-9]+)[/\\])?0*([0-9]{1,18})\.[0-9A-Za-z]+")
_ID = re.compile(r"0*([0-9]{1,18})")


def box(text: str) -> list[float] | None:
    """Left, top, right, bottom, confidence."""
    match = _BOX.fullmatch(text)
    numbers = [float(number) for number in match.groups()] if match else [float("inf")]
    good = all(abs(number) <= 1e30 for number in numbers) and 0 <= numbers[4] <= 1
    return numbers if good else None


def image_id(path: str) -> int | None:
    match = _PATH.fullmatch(path)
    if (
        match
        and match[1] is not None
        and match[1].lstrip("0") != str(int(match[2]) % 1000).lstrip("0")
    ):
        return None
    return int(match[2]) if match else None


def tag_id(text: str) -> int | None:
    match = _ID.fullmatch(text)
    return int(match[1]) if match else None


def is_blank(line: bytes) -> bool:
    return not line.strip(b" \t\r")


def face(line: bytes) -> tuple[int, int, list[float]] | None:
    """Image id, tag id and box of a row, None where it is none."""
    fields = line.decode("latin-1").rstrip(" \t\r").split("\t")
    if len(fields) != 3 or len(line) > 65_536:
        return None
    row = image_id(fields[0]), tag_id(fields[1]), box(fields[2])
    return None if None in row else row


def tag(line: bytes) -> tuple[str, int] | None:
    """Name and tag id of a row, None where it is none."""
    try:
        fields = line.decode().rstrip(" \t\r").split("\t")
    except UnicodeDecodeError:
        return None
    if len(fields) != 2 or len(line) > 65_536 or not fields[0].strip(" "):
        return None
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in fields[0]):
        return None
    number = tag_id(fields[1])
    return None if number is None else (fields[0], number)


def lines_and_rows(content, read):
    """The lines of a table of such bytes, and what `read` makes of them: a row for each that is not
    blank; None where there is none, or where it says that the file is no text.
    """
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    numbers = [number for number, line in enumerate(lines, 1) if not is_blank(line)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "table.tsv")
        path.write_bytes(content)
        try:
            found, told = read(path), ""
        except InputError as error:
            found, told = None, str(error)
    if found is None:
        assert not numbers or re.search(": is .*; it must be lines of UTF-8 text", told)
    else:
        assert found["line"].to_list() == numbers
    return lines, found


def names_by_tag(lines):
    """The first name of each tag id, of all good lines of tagIds.tsv."""
    names: dict[int, str] = {}
    for name, number in filter(None, map(tag, lines)):
        names.setdefault(number, name)
    return names
