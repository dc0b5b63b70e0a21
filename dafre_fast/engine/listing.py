"""Which files lie in a tree, or stand in a list."""

import fnmatch
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from dafre_fast.model.errors import InputError
from dafre_fast.model.files import temporary


def files_in(tree: Path) -> Iterator[str]:
    """Paths in the tree of all files below it, hidden ones left out; none where there is none."""
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = PurePath(folder).relative_to(tree)
        prefix = f"{inside}/" if inside.parts else ""
        yield from (prefix + name for name in names if not name.startswith("."))


def originals_in(tree_or_list: Path) -> list[tuple[str, str]]:
    """(Path in the tree, path to read) of every original, whatever its extension.

    Both are text: a `Path` per file costs more than all else that is done to plan for it. Bytes of
    a name that are not UTF-8 are written `\\xff`: that file will be found missing, by this name.
    A list is a text file with a path per line, relative to the current folder; what is made of
    an absolute one stands under its path without the root.
    Raises InputError where there is nothing to read, or a path leads out by `..`.
    """
    if tree_or_list.is_dir():
        files = [(name, f"{tree_or_list}/{name}") for name in files_in(tree_or_list)]
    else:
        files = list(_listed(tree_or_list))
    if not files:
        raise InputError(f"{tree_or_list}: holds no files")
    return [file if file[1].isascii() else (_utf8(file[0]), _utf8(file[1])) for file in files]


def _utf8(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    lines = dict.fromkeys(line.rstrip("\r") for line in text.split("\n"))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if ".." in line.split("/") or "\0" in line:
            raise InputError(f"{path}: line {number} leads out of the output: {line!r}")
        original = os.path.normpath(line)
        yield original.lstrip("/"), original


def remove_temporaries(tree: Path) -> None:
    """Remove what killed runs left half-written in a tree, whatever has become of its images."""
    pattern = temporary(Path("*")).name
    for folder, _, names in os.walk(tree):
        for name in fnmatch.filter(names, pattern):
            with suppress(OSError):
                Path(folder, name).unlink()
