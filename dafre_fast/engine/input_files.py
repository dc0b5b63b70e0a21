"""Find the originals of a folder, or of a text file with a path per line."""

import fnmatch
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath
from typing import NamedTuple

from dafre_fast.core.atomic import temporary
from dafre_fast.core.errors import InputError
from dafre_fast.core.reasons import RowProblem
from dafre_fast.core.summaries import NAMED_LINES, Problem
from dafre_fast.tables.text import read_text


class Listing(NamedTuple):
    """Originals as pairs (path in the tree, path to read), and lines of a list that were set aside.

    Paths are text, because a `Path` per file costs more than the rest of its planning. A name that
    is not UTF-8 has its bytes escaped (`\\xff`); no file is found under such a name, so that it is
    refused as `missing_original`.
    """

    files: list[tuple[str, str]]
    problems: list[Problem]


def files_in(tree: Path) -> Iterator[str]:
    """Give the relative paths of all files in a folder but hidden ones; none if it is missing."""
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = PurePath(folder).relative_to(tree)
        prefix = f"{inside}/" if inside.parts else ""
        yield from (prefix + name for name in names if not name.startswith("."))


def originals_in(tree_or_list: Path) -> Listing:
    """Return every original of a folder or list, whatever its extension.

    A list is a text file with a path per line, relative to the current folder. The output of an
    absolute path gets that path without the root. A repeated path is set aside. Raises InputError
    if there is nothing to read, a path has `..` or names no file, or two outputs would have the
    same path.
    """
    if tree_or_list.is_dir():
        names = map(_escaped, files_in(tree_or_list))
        found = Listing([(name, f"{tree_or_list}/{name}") for name in names], [])
    else:
        found = _listed(tree_or_list)
    if not found.files:
        raise InputError(f"{tree_or_list}: holds no files")
    return found


def _listed(path: Path) -> Listing:
    lines: dict[str, tuple[int, str]] = {}
    repeats = []
    text = read_text(path).decode(errors="backslashreplace")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip(" \t\r"):
            continue
        original = _checked(line.removesuffix("\r"), f"{path}: line {number}")
        key = original.lstrip("/")
        first, standing = lines.setdefault(key, (number, original))
        if standing != original:
            raise InputError(
                f"{path}: line {number} would have the same output as line {first}: "
                f"{original!r}, {standing!r}"
            )
        if first != number:
            repeats.append(number)
    files = [(key, original) for key, (_, original) in lines.items()]
    again = RowProblem.DUPLICATE_ROW.value
    problem = Problem(path.name, again, len(repeats), repeats[:NAMED_LINES])
    return Listing(files, [problem] if repeats else [])


def _checked(line: str, place: str) -> str:
    """Return the path in its shortest form; raise InputError if it is none."""
    if "\0" in line:
        raise InputError(f"{place} has a NUL byte")
    if ".." in line.split("/"):
        raise InputError(f"{place} leads out of the output: {line!r}")
    original = os.path.normpath(line)
    if original in {"/", "//", "."}:
        raise InputError(f"{place} names no file: {line!r}")
    return original[1:] if original.startswith("//") else original


def _escaped(name: str) -> str:
    if name.isascii():
        return name
    return os.fsencode(name).decode(errors="backslashreplace")


def remove_temporaries(tree: Path) -> None:
    """Remove the half-written files that killed runs left in a tree."""
    pattern = temporary(Path("*")).name
    for folder, _, names in os.walk(tree):
        for name in fnmatch.filter(names, pattern):
            with suppress(OSError):
                Path(folder, name).unlink()
