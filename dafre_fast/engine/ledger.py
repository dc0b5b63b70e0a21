"""The ledger: one line of JSON per outcome, appended when it is final.

An output is renamed into place first and its line written last, so a line never speaks of a file
that is not there. A line is written before the run counts its outcome, in one `write` with the
others of its moment, to a file opened for appending: it survives the death of this process at any
moment. What may be missing then are outcomes that this process had not heard of yet, as a rule of a
tenth of a second, and after a power cut the last lines; their images are made again. Ledgers of
several machines are joined by concatenation; the last line of a key counts.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

import msgspec

from dafre_fast.model.errors import OutputError, UsageError
from dafre_fast.model.records import Fetched, Made

NAME, LOCK = "ledger.jsonl", "lock"


class Ledger:
    """Open for one run at a time, as a context.

    Raises UsageError where another run has it open, OutputError where it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._lock_path = folder / LOCK
        self._encode = msgspec.json.Encoder().encode

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self._lock_path, os.O_CREAT | os.O_RDWR, 0o644)
            self._file = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._close()
            raise UsageError(f"{self.path.parent}: another run is at work here") from error
        self._cut_torn_line()
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def append(self, *entries: Made | Fetched) -> None:
        """Add a line for each. Raises OutputError, for one where the disk is full."""
        lines = b"".join(self._encode(entry) + b"\n" for entry in entries)
        try:
            written = os.write(self._file, lines)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error
        if written < len(lines):
            self._cut_torn_line()
            raise OutputError(f"{self.path}: No space left on device")

    def forget(self) -> None:
        """Empty it: everything is to be made anew."""
        os.truncate(self._file, 0)

    def _cut_torn_line(self) -> None:
        """Drop what a writer that was cut off left behind the last line end."""
        end = os.fstat(self._file).st_size
        at, tail = end, b""
        while at > 0 and b"\n" not in tail:
            at = max(0, at - 65_536)
            tail = os.pread(self._file, end - at, at)
        whole = at + tail.rfind(b"\n") + 1
        if whole < end:
            os.truncate(self._file, whole)

    def _close(self) -> None:
        os.close(self._file)
        os.close(self._lock)
