"""Which files lie in a tree, or stand in a list."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePath

from dafre_fast.model.errors import InputError


def files_in(tree: Path) -> Iterator[str]:
    """Paths of all files below a folder, hidden ones left out; none where there is no folder."""
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (f"{folder}/{name}" for name in names if not name.startswith("."))


def originals_in(tree_or_list: Path) -> list[tuple[PurePath, Path]]:
    """(Path in the tree, path to read) of every original, whatever its extension.

    A list is a text file with a path per line, relative to the current folder; what is made of
    an absolute one stands under its path without the root.
    Raises InputError where there is nothing to read, or a path leads out by `..`.
    """
    if tree_or_list.is_dir():
        found = map(Path, files_in(tree_or_list))
        files = [(PurePath(path.relative_to(tree_or_list)), path) for path in found]
    else:
        files = list(_listed(tree_or_list))
    if not files:
        raise InputError(f"{tree_or_list}: holds no files")
    return files


def _listed(path: Path) -> Iterator[tuple[PurePath, Path]]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    lines = dict.fromkeys(line.rstrip("\r") for line in text.split("\n"))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        original = Path(line)
        name = original.relative_to(original.anchor)
        if ".." in name.parts or "\0" in line:
            raise InputError(f"{path}: line {number} leads out of the output: {line!r}")
        yield PurePath(name), original
