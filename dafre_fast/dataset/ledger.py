"""The ledger: one line of JSON for each outcome, appended by the process that produced it.

An output is written under a temporary name and renamed into place. Its line is written last, with
one `write` to a file opened for appending, before the run is notified. Whichever process is killed
at whichever moment, the ledger never records an output that is not there, and an outcome that is
recorded is not repeated. An incomplete line (after a kill or on a full disk) is dropped when the
ledger is opened the next time.

Nothing is synced to disk (fsync). After a power failure the last lines may be missing, and their
images are made again. Outputs may be short or empty although their lines are there: a run compares
sizes with the ledger and makes such outputs again, and `verify` finds those that have the right
size and other bytes.

Ledgers of several machines can be concatenated; the last line of a key counts.
"""

import fcntl
import os
import re
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from dafre_fast.core.atomic import replacing
from dafre_fast.core.errors import BusyError, InputError, OutputError
from dafre_fast.core.records import Detected, Made, Outcome
from dafre_fast.dataset.ledger_lines import check, decode, encode
from dafre_fast.dataset.recorder import LocalRecorder, Recorder, append_lines

Kind = TypeVar("Kind", bound=Made | Detected)
NAME, LOCK = "ledger.jsonl", "lock"
_PATIENCE_SECONDS = 2.0
_COPIED_BYTES = 1 << 20
_begin_of_line = re.compile(rb'(?={"stage":)')  # inside of one, quotes are escaped


class Ledger:
    """The ledger in a folder, open for one run at a time; a context manager.

    It stays in the process that opened it; workers append through its `recorder`. Raises BusyError
    if another run has it open, OutputError if it cannot be written.
    """

    interrupted = False
    """True if the last run did not finish."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.paths = [self.path]
        """The ledgers that count in this run, this one last (`dataset.parts`)."""
        self._lock_path = folder / LOCK
        self._mended = 0

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._lock_path, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        try:
            take_lock(self._lock, self.path.parent, fcntl.LOCK_EX)
            self._file = self._open()  # after locking: the last holder may have replaced the file
            self.mend()
        except BaseException:
            os.close(self._lock)
            raise
        # The length of the lock file marks a run in progress; unlike a byte it needs no disk space.
        self.interrupted = os.fstat(self._lock).st_size > 0
        os.truncate(self._lock, 1)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if kind is None:
            os.truncate(self._lock, 0)
        os.close(self._file)
        os.close(self._lock)

    def append(self, *entries: Outcome) -> None:
        """Append a line for each outcome, with the time. Raises OutputError."""
        append_lines(self._file, self.path, entries)

    def recorder(self) -> Recorder:
        """Return the recorder for workers on this machine; it is valid while the ledger is open.

        Workers share the lock, so that no other run starts while a worker of a killed run still
        works on its last image.
        """
        return LocalRecorder(self.path, self._file, self._lock)

    def forget(self) -> None:
        """Remove all outcomes, so that everything is made again."""
        os.truncate(self._file, 0)
        self._mended = 0

    def add(self, other: Self) -> None:
        """Append all lines of another ledger, which is open, too. Raises OutputError."""
        try:
            with other.path.open("rb") as source, self.path.open("ab") as target:
                shutil.copyfileobj(source, target, _COPIED_BYTES)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        self._mended = os.fstat(self._file).st_size

    def outcome(self, key: str, kind: type[Kind]) -> Kind | None:
        """Return the outcome of this kind that this run recorded for an image, None if there is
        none yet.
        """
        if os.fstat(self._file).st_size == self._mended:
            return None
        begin = encode(kind(key=key))[:-1]
        with mmap(self._file, 0, access=ACCESS_READ) as text:
            at = text.rfind(begin, self._mended)
            line = text[at : text.find(b"\n", at)] if at >= 0 else b""
        found = (decode(text) for entry, text in _whole(line) if entry.key == key)
        return next((entry for entry in found if isinstance(entry, kind)), None)

    def mend(self) -> None:
        """Drop incomplete lines among those that were added since the last call.

        Raises OutputError if the ledger cannot be rewritten.
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


def take_lock(lock: int, folder: Path, kind: int) -> None:
    """Take the lock of a state folder; wait a moment if workers of a killed run are still
    finishing. Raises BusyError if another run holds it, OutputError if it cannot be locked.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > end:
                raise BusyError(f"{folder}: another run is at work here") from error
            time.sleep(_PATIENCE_SECONDS / 40)
        except OSError as error:
            raise OutputError(f"{folder / LOCK}: {error.strerror}") from error
        else:
            return


def whole_lines(folder: Path) -> bytes:
    """Return the complete lines of the ledger in a folder, empty if there is none. The ledger may
    be in use; it is not changed. Raises InputError if it cannot be read.
    """
    try:
        with (folder / NAME).open("rb") as file:
            return b"".join(text + b"\n" for line in file for _, text in _whole(line))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise InputError(f"{folder / NAME}: {error.strerror}") from error


class _Key(Struct):
    stage: str
    key: str


def last_lines(ledger: Path, keys: Iterable[str]) -> list[bytes]:
    """Return the last complete line of each stage of each of these keys, in the order of the
    ledger. Raises OSError.
    """
    wanted, decode = frozenset(keys), msgspec.json.Decoder(_Key).decode
    found = dict[tuple[str, str], bytes]()
    with ledger.open("rb") as file:
        for line in file:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                one = decode(line)
                if one.key in wanted and line.endswith(b"\n"):
                    found.pop((one.stage, one.key), None)
                    found[one.stage, one.key] = line
    return [*found.values()]


class Marks(NamedTuple):
    """Times of outcomes by stage (float64, seconds since 1970), the number of lines without a time,
    and the number of outcomes by the hash of their recipe.
    """

    times: dict[str, NDArray[np.float64]]
    untimed: int
    recipes: dict[str, int]


class _Mark(Struct):
    stage: str
    recipe: str = ""
    at: float | None = None


def marks(folder: Path) -> Marks:
    """Read the times and recipes of all complete lines of the ledger in a folder, which may be in
    use or missing. Raises InputError if it cannot be read.
    """
    decode = msgspec.json.Decoder(_Mark).decode
    times = {"fetch": array("d"), "make": array("d"), "detect": array("d")}
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


def _whole(line: bytes) -> Iterator[tuple[Outcome, bytes]]:
    """Yield the outcomes in a line and their text. An incomplete one may precede them."""
    for piece in _begin_of_line.split(line):
        text = piece.rstrip(b"\n")
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            yield check(text), text
