"""The ledger: one line of JSON per outcome, appended when it is final by the process that brought
it about.

An output is written under a temporary name, renamed into place, and its line comes last, in one
`write` to a file opened for appending; only then is the run told. So whatever is killed at whatever
moment, a line never speaks of an output that is not there, and what has a line is not made again.
A line that was cut off half-way (a kill, a full disk) is dropped when the ledger is opened next.

Nothing waits for the disk (no fsync). After a power cut the last lines may be missing: their images
are made again. Outputs may be short or empty although their lines are there: a run compares their
sizes with the ledger and makes those again, and `verify` finds what has its size and other bytes.

Ledgers of several machines are joined by concatenation; the last line of a key counts.
"""

import fcntl
import os
import re
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.core.records import Fetched, Made
from dafre_fast.dataset.ledger_lines import check, decode, encode
from dafre_fast.dataset.recorder import LocalRecorder, Recorder, append_lines

NAME, LOCK = "ledger.jsonl", "lock"
_PATIENCE_SECONDS = 2.0
_begin_of_line = re.compile(rb'(?={"stage":)')  # inside of one, quotes are escaped


class Ledger:
    """Open for one run at a time, as a context.

    It stays in the process that opened it; workers append through its `recorder`.
    Raises UsageError where another run has it open, OutputError where it cannot be written.
    """

    interrupted = False
    """The run that had it open last did not come to its end."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lock_path = folder / LOCK
        self._mended = 0

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._lock_path, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        try:
            self._take_lock()
            self._file = self._open()  # not before: who had the lock may have put another in place
            self.mend()
        except BaseException:
            os.close(self._lock)
            raise
        # A length tells of a run under way; it needs no room on the disk, as a word would.
        self.interrupted = os.fstat(self._lock).st_size > 0
        os.truncate(self._lock, 1)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is None:
            os.truncate(self._lock, 0)
        os.close(self._file)
        os.close(self._lock)

    def append(self, *entries: Made | Fetched) -> None:
        """Add a line for each, with the time of now. Raises OutputError."""
        append_lines(self._file, self.path, entries)

    def recorder(self) -> Recorder:
        """Return what workers on this machine record their outcomes with while the ledger is open.

        They share its lock, so that no other run begins while a worker of a killed one is still at
        its last image.
        """
        return LocalRecorder(self.path, self._file, self._lock)

    def forget(self) -> None:
        """Empty it: everything is to be made anew."""
        os.truncate(self._file, 0)
        self._mended = 0

    def outcome(self, key: str) -> Made | None:
        """What became of an image in this run, None where it has no line yet."""
        if os.fstat(self._file).st_size == self._mended:
            return None
        begin = encode(Made(key=key))[:-1]
        with mmap(self._file, 0, access=ACCESS_READ) as text:
            at = text.rfind(begin, self._mended)
            line = text[at : text.find(b"\n", at)] if at >= 0 else b""
        made = (decode(text) for entry, text in _whole(line) if entry.key == key)
        return next((entry for entry in made if isinstance(entry, Made)), None)

    def mend(self) -> None:
        """Drop whatever is no whole line, of what was added since the last time.

        Raises OutputError where that is not possible.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._mended)
                if not all(map(_is_whole, file)):
                    self._rewrite()
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        self._mended = os.fstat(self._file).st_size

    def _rewrite(self) -> None:
        with replacing(self.path) as part, part.open("wb") as mended, self.path.open("rb") as file:
            mended.writelines(text + b"\n" for line in file for _, text in _whole(line))
        os.close(self._file)
        self._file = self._open()

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error

    def _take_lock(self) -> None:
        """Wait for a moment: workers of a killed run are on their way out."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > end:
                    message = f"{self.path.parent}: another run is at work here"
                    raise UsageError(message) from error
                time.sleep(_PATIENCE_SECONDS / 40)
            except OSError as error:
                raise OutputError(f"{self._lock_path}: {error.strerror}") from error
            else:
                return


def whole_lines(folder: Path) -> bytes:
    """Of the ledger in a folder, which may be in use or not there; it is left as it is."""
    try:
        with (folder / NAME).open("rb") as file:
            return b"".join(text + b"\n" for line in file for _, text in _whole(line))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"{folder / NAME}: {error.strerror}") from error


class Marks(NamedTuple):
    """When outcomes were recorded, by stage (float64 seconds since 1970), how many lines say no
    time, and how many outcomes were made by each recipe (their hashes).
    """

    times: dict[str, NDArray[np.float64]]
    untimed: int
    recipes: dict[str, int]


class _Mark(Struct):
    stage: str
    recipe: str = ""
    at: float | None = None


def marks(folder: Path) -> Marks:
    """Of every whole line of the ledger in a folder, which may be in use or not there.

    Raises InputError where it cannot be read.
    """
    decode = msgspec.json.Decoder(_Mark).decode
    times = {"fetch": array("d"), "make": array("d")}
    untimed, recipes = 0, Counter[str]()
    try:
        with (folder / NAME).open("rb") as file:
            for line in file:
                with suppress(msgspec.DecodeError, UnicodeDecodeError):
                    mark = decode(line)
                    if mark.recipe:
                        recipes[mark.recipe] += 1
                    if mark.at is None:
                        untimed += 1
                    elif mark.stage in times:
                        times[mark.stage].append(mark.at)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise InputError(f"{folder / NAME}: {error.strerror}") from error
    found = {stage: np.array(at, np.float64) for stage, at in times.items() if at}
    return Marks(found, untimed, dict(recipes.most_common()))


def _is_whole(line: bytes) -> bool:
    try:
        check(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return line.endswith(b"\n")


def _whole(line: bytes) -> Iterator[tuple[Made | Fetched, bytes]]:
    """Outcomes in a line, and their text; before them may stand what another writer left."""
    for piece in _begin_of_line.split(line):
        text = piece.rstrip(b"\n")
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            yield check(text), text
