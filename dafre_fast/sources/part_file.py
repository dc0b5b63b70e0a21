"""Part file: the hidden file beside the final one, to which an original is written first.

With `sync` its bytes and its folder are on the disk before the file has its final name. Without,
nothing waits for the disk, and after a power cut the next run compares sizes with the ledger.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from dafre_fast.core.atomic import temporary_name
from dafre_fast.core.errors import OutputError
from dafre_fast.sources.disk_clock import on_disk

_READ_BYTES = 1 << 20


class PartFile:
    """The part file of `path`. All methods raise OutputError if the disk fails."""

    def __init__(self, path: str, *, sync: bool) -> None:
        self.path, self._sync = path, sync
        self._folder, name = os.path.split(path)
        self._part = os.path.join(self._folder, temporary_name(name))  # noqa: PTH118
        self._file: int | None = None
        self._exists = False

    def write(self, data: bytes) -> None:
        """Append bytes; create the file, and its folder, before the first of them."""
        try:
            if self._file is None:
                self._file = self._create()
                self._exists = True
            _write(self._file, data)
        except OSError as error:
            raise self._failure(error) from error

    def empty(self) -> None:
        """Drop what was written so far."""
        try:
            if self._file is not None:
                os.ftruncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
        except OSError as error:
            raise self._failure(error) from error

    def adopt(self, file: Path) -> Iterator[bytes]:
        """Take a file of the same file system as the part file, and read it."""
        try:
            Path(self._folder).mkdir(parents=True, exist_ok=True)
            self._file = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
            file.replace(self._part)
            self._exists = True
        except OSError as error:
            raise self._failure(error) from error
        while data := self._read(self._file):
            yield data

    def again(self) -> Callable[[Callable[[int], None]], None]:
        """Return a call that hands the file to a reader once, and may be made by another thread,
        even after the file was discarded.
        """
        assert self._file is not None, "nothing was written"
        file = os.dup(self._file)

        def hand_to(read: Callable[[int], None]) -> None:
            try:
                read(file)
            except OSError as error:
                raise self._failure(error) from error
            finally:
                os.close(file)

        return hand_to

    def map(self) -> mmap:
        """Return the whole file, mapped for reading. It must not be empty."""
        assert self._file is not None, "nothing was written"
        return mmap(self._file, 0, access=ACCESS_READ)

    @on_disk
    def place(self) -> None:
        """Give the file its final name."""
        assert self._file is not None, "nothing was written"
        try:
            if self._sync:
                os.fdatasync(self._file)
            file, self._file = self._file, None
            os.close(file)
            os.replace(self._part, self.path)  # noqa: PTH105  (a Path costs more)
            self._exists = False
            if self._sync:
                _sync_folder(self._folder)
        except OSError as error:
            raise self._failure(error) from error

    def discard(self) -> None:
        """Delete the file, if it still has its hidden name."""
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
        if self._exists:
            self._exists = False
            with suppress(OSError):
                os.unlink(self._part)  # noqa: PTH108

    def _read(self, file: int) -> bytes:
        try:
            return os.read(file, _READ_BYTES)
        except OSError as error:
            raise self._failure(error) from error

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        try:
            return os.open(self._part, flags, 0o666)
        except FileNotFoundError:
            Path(self._folder).mkdir(parents=True, exist_ok=True)
            if self._sync:
                _sync_folder(os.path.dirname(self._folder))  # noqa: PTH120
            return os.open(self._part, flags, 0o666)

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path}: {error.strerror}")


@on_disk
def _write(file: int, data: bytes) -> None:
    """Write all of `data`. A disk that fills up takes a part of it, and raises at the rest."""
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
