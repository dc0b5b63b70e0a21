"""The last step of every source: bytes become a file under its final name, checked, or nothing.

They are written to a part file in the same folder. Before it is renamed it has the length, the hash
and the format that are known of it, and comes to its end. With `--sync` its bytes and its folder
are on the disk before that counts; without, nothing waits for the disk, and after a power cut the
next run compares sizes with the ledger.
"""

import hashlib
import os
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple, Protocol

from dafre_fast.core.atomic import temporary
from dafre_fast.core.errors import OutputError, Refusal
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.disk_clock import on_disk
from dafre_fast.sources.interface import HEAD_BYTES, Check
from dafre_fast.sources.manners.effort import Passing

_READ_BYTES = 1 << 20


class Expected(NamedTuple):
    """What is known of an original beforehand: bytes, and hashes as hexadecimal digits."""

    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None


class Arrived(NamedTuple):
    """A file under its final name."""

    bytes: int
    sha256: str
    proof: Proof


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class Arrival:
    """One original on its way into `path`: open it, write, then finish or discard."""

    def __init__(self, path: Path, expected: Expected, settings: Fetching, check: Check) -> None:
        self.path, self._part = path, temporary(path)
        self._expected, self._settings, self._check = expected, settings, check
        self._most = min(settings.max_bytes, expected.bytes or settings.max_bytes)
        self._file: int | None = None
        self._unplaced = False
        self._truncated: bytes | None = None
        self._begin()

    def _begin(self) -> None:
        self.size = 0
        self._head: bytes | None = b""
        self._sha256: _Hash = hashlib.sha256()
        self._md5: _Hash | None = None
        if self._expected.md5:
            self._md5 = hashlib.md5(usedforsecurity=False)

    def start_over(self) -> None:
        """Forget what has come so far."""
        self._begin()
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)

    def write(self, data: bytes) -> None:
        """Add bytes. Raises Refusal for one too many, Passing for what is no image, and OutputError
        where the disk does not take them; it is gone then.
        """
        try:
            self._add(data)
        except BaseException:
            self.discard()
            raise

    def finish(self, *, sized: bool = True, proven: Proof | None = None) -> Arrived:
        """Check it and give it its final name. Raises as `write` does, and Passing where it is not
        what is known of it or does not come to its end; it is gone then.

        `sized` is False where nobody said how long it is: what does not come to its end may have
        been cut on the way, and is only kept (`--truncated keep`) if it comes so twice. `proven` is
        by what its bytes were found right before they came here.
        """
        try:
            arrived = Arrived(
                self.size, self._sha256.hexdigest(), self._prove(sized=sized, proven=proven)
            )
            self._place()
        except BaseException:
            self.discard()
            raise
        return arrived

    def discard(self) -> None:
        """Leave nothing behind; what is written next begins anew."""
        self._begin()
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
        if self._unplaced:
            self._unplaced = False
            with suppress(OSError):
                self._part.unlink()

    def adopt(self, file: Path) -> None:
        """Take a file of the same file system in place of what would be written, and read it.
        Raises as `write` does.
        """
        try:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
            file.replace(self._part)
            self._unplaced = True
            while data := os.read(self._file, _READ_BYTES):
                self._note(data)
        except OSError as error:
            self.discard()
            raise OutputError(f"{self.path}: {error.strerror}") from error
        except BaseException:
            self.discard()
            raise

    def _add(self, data: bytes) -> None:
        self._note(data)
        try:
            if self._file is None:
                self._file = self._create()
                self._unplaced = True
            _write(self._file, data)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error

    def _note(self, data: bytes) -> None:
        """Size, hashes and head of more bytes."""
        self.size += len(data)
        if self.size > self._most:
            self._refuse_size()
        self._sha256.update(data)
        if self._md5:
            self._md5.update(data)
        if self._head is not None:
            self._head += data
            if len(self._head) >= HEAD_BYTES:
                self._look(self._head)

    def _refuse_size(self) -> None:
        if self.size > self._settings.max_bytes:
            raise Refusal(Reason.TOO_MANY_BYTES, f"{self.size:,} and more")
        known = self._expected.bytes
        detail = f"{self.size:,} bytes and more, known are {known:,}"
        raise Passing(Reason.WRONG_SIZE, detail, b"more than %d" % (known or 0))

    def _look(self, head: bytes) -> None:
        self._head = None
        try:
            self._check.head(head)
        except Refusal as refusal:
            begin = hashlib.sha256(head[:HEAD_BYTES]).digest()
            raise Passing(refusal.reason, refusal.detail, begin) from refusal

    def _prove(self, *, sized: bool, proven: Proof | None) -> Proof:
        if self._head is not None:
            self._look(self._head)
        known = self._expected
        if known.bytes not in (None, self.size):
            detail = f"{self.size:,} bytes, known are {known.bytes:,}"
            raise self._wrong(Reason.WRONG_SIZE, detail)
        proofs = []
        for proof, hashed, digest in (
            (Proof.MD5, self._md5, known.md5),
            (Proof.SHA256, self._sha256, known.sha256),
        ):
            if digest and hashed:
                if hashed.hexdigest() != digest.lower():
                    raise self._wrong(Reason.WRONG_HASH, f"{proof} is not {digest}")
                proofs.append(proof)
        if proofs:
            return proofs[0]
        if proven:
            return proven
        self._check_whole(sized=sized)
        return Proof.UNVERIFIED

    def _check_whole(self, *, sized: bool) -> None:
        assert self._file is not None, "an empty file is refused by its head"
        with mmap(self._file, 0, access=ACCESS_READ) as data:
            try:
                self._check.whole(data)
            except Refusal as refusal:
                if self._settings.truncated == "keep" and refusal.reason is Reason.TRUNCATED:
                    before, self._truncated = self._truncated, self._sha256.digest()
                    if sized or before == self._truncated:
                        return
                    # Without its hash, or the second time ended as "the same twice".
                    raise Passing(refusal.reason, refusal.detail) from refusal
                raise self._wrong(refusal.reason, refusal.detail) from refusal

    @on_disk
    def _place(self) -> None:
        assert self._file is not None
        try:
            if self._settings.sync:
                os.fdatasync(self._file)
            file, self._file = self._file, None
            os.close(file)
            self._part.replace(self.path)
            self._unplaced = False
            if self._settings.sync:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise OutputError(f"{self.path}: {error.strerror}") from error

    def _create(self) -> int:
        """The part file, opened, and the folder for it where there is none yet."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        try:
            return os.open(self._part, flags, 0o666)
        except FileNotFoundError:
            self._part.parent.mkdir(parents=True, exist_ok=True)
            if self._settings.sync:
                _sync_folder(self._part.parent.parent)
            return os.open(self._part, flags, 0o666)

    def _wrong(self, reason: Reason, detail: str) -> Passing:
        return Passing(reason, detail, self._sha256.digest())


@on_disk
def _write(file: int, data: bytes) -> None:
    """Write all of it: a disk that fills up takes a part, and raises at the rest."""
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
