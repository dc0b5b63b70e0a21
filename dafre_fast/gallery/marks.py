"""Marks of images: names that people give them, in a file beside the index.

The file `marks.jsonl` only grows: a line for each time that images were marked, unmarked, judged
by somebody (`gallery.verdicts`), or that this was undone. So nothing is lost, and several galleries
may serve one index.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.gallery.verdicts import People, Verdicts

FILE = "marks.jsonl"
READY = ("wrong head", "wrong character", "not safe")
"""Marks that are offered before there is any."""
_LONGEST = 60


class Act(Struct, frozen=True, omit_defaults=True):
    """A line of the file: images that got a mark (`on`) or lost it. `undoes` the one before. If it
    is `by` a person, the mark is a verdict.
    """

    time: datetime
    mark: str
    ids: Sequence[int]
    on: bool = True
    undoes: bool = False
    by: str = ""


class Marks:
    """The marks of a dataset, and the verdicts on its images, in the file of a folder, or in one of
    another name. Methods may be called from any thread.
    """

    def __init__(self, folder: Path, name: str = FILE) -> None:
        self._path, self._lock = folder / name, Lock()
        self._verdicts = Verdicts()
        self._read, self._acts = 0, list[Act]()
        self._ids = dict[str, dict[int, datetime]]()
        self._lines = 0

    @property
    def writable(self) -> bool:
        """Whether the file can be written."""
        place = self._path if self._path.exists() else self._path.parent
        return os.access(place, os.W_OK)

    def lines(self) -> int:
        """Return the number of lines of the file: it grows whenever marks change."""
        with self._lock:
            self._refresh()
            return self._lines

    def names(self) -> list[str]:
        """Return all marks: those that are ready, then others that some image has."""
        with self._lock:
            self._refresh()
            return list(dict.fromkeys([*READY, *(name for name, ids in self._ids.items() if ids)]))

    def of(self, mark: str) -> dict[int, datetime]:
        """Return the ids of the images with a mark, and since when. Raises InputError."""
        with self._lock:
            self._refresh()
            return dict(self._ids.get(mark, {}))

    def of_image(self, image: int) -> list[str]:
        """Return the marks of an image. Raises InputError."""
        with self._lock:
            self._refresh()
            return [mark for mark, ids in self._ids.items() if image in ids]

    def last(self) -> Act | None:
        """Return what would be undone. Raises InputError."""
        with self._lock:
            self._refresh()
            return self._acts[-1] if self._acts else None

    def set(self, mark: str, ids: Iterable[int], *, on: bool) -> int:
        """Mark images, or take the mark off, and return how many that changed. Raises UsageError
        for a mark that is no name, OutputError if the file cannot be written.
        """
        name = checked(mark)
        with self._lock, self._alone():
            self._refresh()
            known = self._ids.get(name, {})
            changed = [image for image in dict.fromkeys(ids) if (image in known) != on]
            if changed:
                self._append(Act(datetime.now(UTC), name, changed, on))
            return len(changed)

    def undo(self) -> Act | None:
        """Undo what was done last and is not yet undone; return it. Raises OutputError."""
        with self._lock, self._alone():
            self._refresh()
            if not self._acts:
                return None
            act = self._acts[-1]
            self._append(Act(datetime.now(UTC), act.mark, act.ids, not act.on, undoes=True))
            return act

    def verdicts(self, person: str | None = None) -> People:
        """Return the verdicts of each person, or of one alone. Raises InputError."""
        with self._lock:
            self._refresh()
            people = self._verdicts.people.items()
            return {name: {**own} for name, own in people if person in (None, name)}

    def judge(self, person: str, verdict: str, ids: Sequence[int], *, on: bool = True) -> None:
        """Give the verdict of a person on images, or take it back. Raises UsageError for a name
        that is none, OutputError if the file cannot be written.
        """
        name = checked(person, "reviewer")
        with self._lock, self._alone():
            self._refresh()
            if ids:
                self._append(Act(datetime.now(UTC), verdict, ids, on, by=name))

    def unjudge(self, person: str) -> Sequence[int]:
        """Undo what a person did last and is not yet undone; return its images. Raises
        OutputError.
        """
        with self._lock, self._alone():
            self._refresh()
            ids = self._verdicts.last(person)
            if ids:
                self._append(Act(datetime.now(UTC), "", ids, undoes=True, by=person))
            return ids

    def _alone(self) -> "_Alone":
        return _Alone(self._path)

    def _append(self, act: Act) -> None:
        line = msgspec.json.encode(act) + b"\n"
        try:
            with self._path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror or error}") from error
        self._refresh()

    def _refresh(self) -> None:
        """Read the lines that are new, but for one that is not finished."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines = file.read()
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self._path}: {error.strerror or error}") from error
        for line in _whole(lines):
            try:
                act = msgspec.json.decode(line, type=Act)
            except msgspec.DecodeError as error:
                raise InputError(
                    f"{self._path}: byte {self._read}: {error}; correct or delete this line"
                ) from error
            try:
                self._take(act)
            except InputError as error:
                raise InputError(f"{self._path}: byte {self._read}: {error}") from error
            self._read += len(line)

    def _take(self, act: Act) -> None:
        if act.by:
            self._verdicts.take(act)
            self._lines += 1
            return
        self._lines += 1
        if act.undoes:
            self._acts.pop()
        else:
            self._acts.append(act)
        ids = self._ids.setdefault(act.mark, {})
        for image in act.ids:
            if act.on:
                ids[image] = act.time
            else:
                ids.pop(image, None)


class _Alone:
    """Let nobody else write a file meanwhile, and end a line that somebody could not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        try:
            self._file = self._path.open("a+b")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            size = self._file.seek(0, os.SEEK_END)
            if size:
                self._file.seek(size - 1)
                if self._file.read(1) != b"\n":
                    self._cut(size)
        except OSError as error:
            raise OutputError(f"{self._path}: {error.strerror or error}") from error

    def _cut(self, size: int) -> None:
        """Cut off the last line, which was being written when its process ended."""
        self._file.seek(0)
        whole = self._file.read(size).rfind(b"\n") + 1
        self._file.truncate(whole)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def checked(mark: str, what: str = "mark") -> str:
    """Return a name in its one form, with single spaces. Raises UsageError if it is none."""
    name = " ".join(mark.replace("_", " ").split())
    if not name or len(name) > _LONGEST or not name.isprintable() or "*" in name:
        raise UsageError(
            f"{what}: {mark[:80]!r} is no name of at most {_LONGEST} letters without *"
        )
    return name


def _whole(lines: bytes) -> Iterator[bytes]:
    return (line for line in lines.splitlines(keepends=True) if line.endswith(b"\n"))
