"""Object stores as outputs: put files, check what arrived, read them back.

An object is put by one request, above 5 GB in parts; either way it appears whole or not at all.
What arrived is compared with what was sent: its size, and its ETag, which is the MD5 of an object
(of its parts, if it came in parts). Where the ETag is something else, as under keys of KMS, the
object is read back. Whatever may pass (a busy store, a broken connection, half an object) is tried
again.

Endpoint and credentials are those of sources (`sources.transports.object_clients`). obstore is
imported with the first store, since it is an extra.
"""

import hashlib
import math
import mmap
import os
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from functools import cache
from pathlib import Path, PurePosixPath
from threading import Thread
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import uuid4

from msgspec import Struct

from dafre_fast.core.atomic import PIECE_BYTES, File, replacing
from dafre_fast.core.errors import InputError, OutputError, Refusal, UsageError
from dafre_fast.core.layout import STATE
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching

if TYPE_CHECKING:
    from dafre_fast.sources.transports.object_clients import Bucket

T = TypeVar("T")
WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Pauses between attempts at one request, each shortened by up to a half at random."""
SINGLE_PUT_BYTES = 5 << 30
"""The most that S3 takes in one request."""
CHUNK_BYTES = 64 << 20
"""Bytes of a part of a larger object, unless it would have too many of them."""
_MOST_CHUNKS = 10_000
_READ_BYTES = 32 << 20
"""Bytes of one request of a download, which goes on where one fails."""
_SLOWEST = 500_000
"""Bytes per second: a slower transfer is given up, and tried again."""
_PATIENCE_SECONDS = 60.0
TRIAL = f"{STATE}/trial"
"""A folder for objects that are put to see whether it can be done."""
_PUTS = 4
"""Attempts to put an object that arrives damaged."""

_user: int | None = None
"""The process that uses obstore; its threads do not survive a fork."""


class Kept(Struct, frozen=True):
    """An object as the store has it: its size, and the ETag, which other bytes change."""

    bytes: int
    etag: str


class _Sent(NamedTuple):
    """A file to send: size, SHA-256, and the ETag it should have."""

    bytes: int
    sha256: str
    etag: str


class ObjectStore:
    """The objects below an address, such as `s3://bucket/prefix`; names are relative to it.

    Methods raise InputError if an object cannot be read, OutputError if it cannot be written, and
    FileNotFoundError for one that is not there. In a process that was forked from one that used a
    store they raise UsageError.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._scheme, _, rest = address.partition("://")
        self._name, _, self._prefix = rest.partition("/")
        self._clients: dict[float, Bucket] = {}

    def check_writable(self, flag: str) -> None:
        """Put a small object, list and delete it. Raises UsageError, which names the flag, if the
        store refuses.
        """
        name = f"{TRIAL}/{uuid4().hex}"  # others may try at the same time
        try:
            self.put(name, b"")
            self.names(TRIAL)
            self.delete([name])
        except (InputError, OutputError) as error:
            raise UsageError(f"{flag} {self.address}: cannot be written: {error}") from error

    def names(self, folder: str = "") -> dict[str, Kept]:
        """Return all objects in a folder and below it, by name."""

        def ask(bucket: "Bucket") -> dict[str, Kept]:
            chunks = _obstore().list(bucket.store, folder or None)
            return {
                one["path"]: Kept(one["size"], _plain(one["e_tag"]))
                for chunk in chunks
                for one in chunk
            }

        try:
            return self._ask(folder, ask, InputError)
        except FileNotFoundError as error:
            raise InputError(str(error)) from error

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders right in a folder, without listing what lies in them."""

        def ask(bucket: "Bucket") -> list[str]:
            found = _obstore().list_with_delimiter(bucket.store, folder)
            return [PurePosixPath(one).name for one in found["common_prefixes"]]

        try:
            return sorted(self._ask(folder, ask, InputError))
        except FileNotFoundError as error:
            raise InputError(str(error)) from error

    def read(self, name: str) -> bytes:
        """Return the bytes of an object, which fits into memory."""

        def ask(bucket: "Bucket") -> bytes:
            return bytes(_obstore().get(bucket.store, name).bytes())

        return self._ask(name, ask, InputError)

    def read_spans(self, name: str, spans: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return parts of an object, given as (first byte, size); neighbours come by one request.
        A single part may reach beyond the end, and is shorter then; several must not.
        """
        asked = [(start, size) for start, size in spans if size]
        starts, lengths = [start for start, _ in asked], [size for _, size in asked]

        def ask(bucket: "Bucket") -> list[bytes]:
            if len(asked) == 1:
                start, size = asked[0]
                return [bytes(_obstore().get_range(bucket.store, name, start=start, length=size))]
            found = _obstore().get_ranges(bucket.store, name, starts=starts, lengths=lengths)
            return [bytes(one) for one in found]

        found = iter(self._ask(name, ask, InputError, sum(lengths)) if asked else ())
        return [next(found) if size else b"" for _, size in spans]

    def fetch(self, name: str, path: Path) -> File:
        """Write an object to a file, which appears when it is whole, and return its digest."""
        kept, hashed = self.look(name), hashlib.sha256()
        with replacing(path) as part, part.open("wb") as file:
            for start in range(0, kept.bytes, _READ_BYTES):
                span = (start, min(_READ_BYTES, kept.bytes - start))
                (data,) = self.read_spans(name, [span])
                if len(data) != span[1]:
                    raise InputError(f"{self._where(name)}: became shorter while it was read")
                hashed.update(data)
                file.write(data)
        if self.look(name) != kept:
            raise InputError(f"{self._where(name)}: changed while it was read")
        return File(kept.bytes, hashed.hexdigest())

    def digest(self, name: str) -> File:
        """Return the size and SHA-256 of an object, which is read for it."""
        hashed, size = hashlib.sha256(), self.look(name).bytes
        for start in range(0, size, _READ_BYTES):
            hashed.update(self.read_spans(name, [(start, min(_READ_BYTES, size - start))])[0])
        return File(size, hashed.hexdigest())

    def put(self, name: str, data: Path | bytes) -> Kept:
        """Put a file or bytes, unless the same is there, and check that it arrived."""
        sent = _sent(data)
        for _ in range(_PUTS):
            if kept := self._has(name, sent):
                return kept
            self._send(name, data, sent)
        if kept := self._has(name, sent):
            return kept
        raise OutputError(
            f"{self._where(name)}: {_PUTS} times the store had something else than was sent"
        )

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that are not there are no fault."""
        doomed = [*names]
        if doomed:
            self._ask("", lambda bucket: _obstore().delete(bucket.store, doomed), OutputError)

    def _has(self, name: str, sent: _Sent) -> Kept | None:
        try:
            kept = self.look(name)
            same = kept.bytes == sent.bytes and (
                kept.etag == sent.etag or self.digest(name).sha256 == sent.sha256
            )
        except FileNotFoundError:
            return None
        return kept if same else None

    def look(self, name: str) -> Kept:
        """Return the size and ETag of an object."""

        def ask(bucket: "Bucket") -> Kept:
            found = _obstore().head(bucket.store, name)
            return Kept(found["size"], _plain(found["e_tag"]))

        return self._ask(name, ask, InputError)

    def _send(self, name: str, data: Path | bytes, sent: _Sent) -> None:
        def ask(bucket: "Bucket") -> None:
            if isinstance(data, bytes) or not sent.bytes:
                _obstore().put(bucket.store, name, b"" if not sent.bytes else data)
                return
            with data.open("rb") as file:
                if sent.bytes > SINGLE_PUT_BYTES:
                    chunk = _chunk(sent.bytes)
                    options = {"use_multipart": True, "chunk_size": chunk, "max_concurrency": 2}
                    _obstore().put(bucket.store, name, file, **options)
                else:  # mapped, it is not copied into memory
                    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                    _obstore().put(bucket.store, name, mapped, use_multipart=False)

        try:
            self._ask(name, ask, OutputError, sent.bytes)
        except FileNotFoundError as error:
            raise OutputError(str(error)) from error

    def _ask(
        self,
        name: str,
        ask: Callable[["Bucket"], T],
        kind: type[InputError | OutputError],
        size: int = 0,
    ) -> T:
        from dafre_fast.sources.manners.effort import Passing
        from dafre_fast.sources.transports.object_clients import ERRORS, refusal

        _claim()
        where, bucket = self._where(name), self._client(size)
        for wait in (*WAITS_SECONDS, None):
            try:
                found = _aside(lambda: ask(bucket))
            except ERRORS as error:
                why = refusal(where, bucket, error)
                reason = why.reason if isinstance(why, Refusal) else None
                if reason is Reason.NOT_FOUND:
                    raise FileNotFoundError(f"{where}: is not there") from error
                said = why.detail if isinstance(why, Refusal) else str(why)
                if not isinstance(why, Passing):
                    raise kind(said) from error
                if wait is None:
                    raise kind(f"{said} ({len(WAITS_SECONDS) + 1} attempts)") from error
                time.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  (not a secret)
            else:
                bucket.answered = True
                return found
        raise AssertionError

    def _client(self, size: int) -> "Bucket":
        """Return a client that waits long enough for a request of so many bytes."""
        from dafre_fast.sources.transports.object_clients import connect

        seconds = _PATIENCE_SECONDS * 2 ** math.ceil(
            math.log2(1 + size / _SLOWEST / _PATIENCE_SECONDS)
        )
        if seconds not in self._clients:
            self._clients[seconds] = connect(
                self._scheme,
                self._name,
                Fetching(),
                self._prefix or None,
                timedelta(seconds=seconds),
            )
        return self._clients[seconds]

    def _where(self, name: str) -> str:
        return f"{self.address}/{name}" if name else self.address


@cache
def open_store(address: str) -> ObjectStore:
    """Return the store at an address, the same for every call, so that connections are kept."""
    return ObjectStore(address)


def _obstore() -> ModuleType:
    from dafre_fast.sources.transports.object_clients import obstore

    return obstore


def _plain(etag: str | None) -> str:
    return (etag or "").strip('"')


def _chunk(size: int) -> int:
    return max(CHUNK_BYTES, -(-size // _MOST_CHUNKS))


def etag_of(path: Path) -> str:
    """Return the ETag that a file has as an object, if no keys of KMS are used. Raises OSError."""
    return _sent_file(path).etag


def _sent(data: Path | bytes) -> _Sent:
    if isinstance(data, bytes):
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return _Sent(len(data), hashlib.sha256(data).hexdigest(), etag)
    try:
        return _sent_file(data)
    except OSError as error:
        raise OutputError(f"{data}: {error.strerror}") from error


def _sent_file(path: Path) -> _Sent:
    size = path.stat().st_size
    step = _chunk(size) if size > SINGLE_PUT_BYTES else size
    hashed, parts, left = hashlib.sha256(), [_md5()], step
    with path.open("rb") as file:
        while piece := file.read(min(PIECE_BYTES, left)):
            hashed.update(piece)
            parts[-1].update(piece)
            left -= len(piece)
            if not left and file.tell() < size:
                parts.append(_md5())
                left = step
    etag = parts[0].hexdigest()
    if size > SINGLE_PUT_BYTES:
        of_parts = b"".join(part.digest() for part in parts)
        etag = f"{_md5(of_parts).hexdigest()}-{len(parts)}"
    return _Sent(size, hashed.hexdigest(), etag)


def _md5(data: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(data, usedforsecurity=False)


def _claim() -> None:
    """Note that this process uses obstore. Raises UsageError if the process it was forked from
    did, since it would wait for ever for threads that are not there.
    """
    global _user  # noqa: PLW0603
    if _user not in (None, os.getpid()):
        raise UsageError(
            "this process was forked from one that read an object store, whose threads did not"
            " come along; give the DataLoader multiprocessing_context='forkserver'"
        )
    _user = os.getpid()


def _aside(call: Callable[[], T]) -> T:
    """Return the result of a call that nothing interrupts; Ctrl-C leaves it to its own thread."""
    done = Future[T]()

    def run() -> None:
        try:
            done.set_result(call())
        except Exception as error:  # noqa: BLE001  (raised again by the caller)
            done.set_exception(error)
        except BaseException as error:  # noqa: BLE001  (how a fault of the library itself comes)
            done.set_exception(ValueError(f"obstore failed: {error}"))

    Thread(target=run, daemon=True).start()
    return done.result()
