"""Walk a folder: the files in it and in its subfolders, those that are links included."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_Identity = tuple[int, int]


class Met(NamedTuple):
    """Things that a walk met besides files; paths are relative to the folder."""

    unlisted: dict[str, str]
    """Folders that cannot be listed, with the error of the system."""
    loops: list[str]
    """Links to a folder that they lie in."""
    left_out: list[str]
    """Folders that the caller wanted left out."""
    links: list[str]
    """Files that are links."""


class Walk:
    """The files of a folder and its subfolders, by relative path, in the order of the disk.

    Hidden files and folders are left out, and subfolders for which `leave_out` returns True. A link
    to a folder is followed unless it lies in that very folder. Whatever is no folder counts as a
    file, a pipe or device, too; nothing is opened. `met` is complete when the walk is over.
    """

    def __init__(
        self, tree: Path, leave_out: Callable[[Path], bool] = lambda _folder: False
    ) -> None:
        self._tree, self._leave_out = tree, leave_out
        self.met = Met({}, [], [], [])

    def __iter__(self) -> Iterator[str]:
        left = list[tuple[str, frozenset[_Identity]]]([("", frozenset())])
        while left:
            inside, above = left.pop()
            try:
                path = self._tree / inside
                above |= {_identity(path)}
                with os.scandir(path) as listing:
                    entries = [entry for entry in listing if not entry.name.startswith(".")]
            except OSError as error:
                self.met.unlisted[inside] = error.strerror or str(error)
                continue
            for entry in entries:
                name = f"{inside}/{entry.name}" if inside else entry.name
                if not is_folder(entry):
                    if entry.is_symlink():
                        self.met.links.append(name)
                    yield name
                elif entry.is_symlink() and _identity(entry) in above:
                    self.met.loops.append(name)
                elif self._leave_out(Path(entry.path)):
                    self.met.left_out.append(name)
                else:
                    left.append((name, above))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder, or a link to one that can be followed."""
    try:
        return entry.is_dir()
    except OSError:  # a link that cannot be followed
        return False


def _identity(path: os.PathLike[str]) -> _Identity:
    found = os.stat(path)  # noqa: PTH116  (of an entry, too)
    return found.st_dev, found.st_ino
