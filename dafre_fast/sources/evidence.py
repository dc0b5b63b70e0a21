"""Evidence: size, hashes and first bytes of an original, beside what is known of it."""

import errno
import hashlib
import os
from typing import NamedTuple, Protocol

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.sources.interface import HEAD_BYTES, Check
from dafre_fast.sources.manners.effort import Passing

AT_ONCE_BYTES = 1 << 17
"""Originals no larger than this are hashed as they come; the rest of larger ones when all is there,
if possible by another thread."""
_READ_BYTES = 1 << 18
"""Fits into the cache of a core."""


class Expected(NamedTuple):
    """Facts known of an original beforehand: its size in bytes, and hashes in hexadecimal."""

    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def hexdigest(self) -> str: ...


class Evidence:
    """Size, hashes and first bytes of one original, as far as it has come."""

    def __init__(self, expected: Expected, max_bytes: int, check: Check) -> None:
        self._expected, self._max_bytes, self._check = expected, max_bytes, check
        self._most = min(max_bytes, expected.bytes or max_bytes)
        self.size = self._hashed = 0
        self._head: bytes | None = b""
        self._sha256: _Hash = hashlib.sha256()
        self._md5: _Hash | None = hashlib.md5(usedforsecurity=False) if expected.md5 else None

    @property
    def is_hashed(self) -> bool:
        """True if the hashes are those of all bytes so far."""
        return self._hashed == self.size

    @property
    def sha256(self) -> str:
        """The hash of all bytes so far, in hexadecimal, if they are hashed."""
        return self._sha256.hexdigest()

    @property
    def digest(self) -> bytes:
        """The same as bytes."""
        return self._sha256.digest()

    def add(self, data: bytes) -> None:
        """Add bytes. Raises Refusal if there are too many, Passing if they are no image."""
        self.size += len(data)
        if self.size > self._most:
            self._refuse_size()
        if self.size <= AT_ONCE_BYTES:
            self._hash(data)
        if self._head is not None:
            self._head += data
            if len(self._head) >= HEAD_BYTES:
                self._check_head(self._head)

    def hash_rest(self, file: int) -> None:
        """Hash what is not hashed yet of all bytes so far, which `file` has. Raises OSError."""
        while self._hashed < self.size:
            data = os.pread(file, _READ_BYTES, self._hashed)
            if not data:
                raise OSError(errno.EIO, "the file is shorter than what was written")
            self._hash(data)

    def _hash(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._md5:
            self._md5.update(data)
        self._hashed += len(data)

    def prove(self) -> Proof | None:
        """Return the hash that proves the original, None if none is known. Raises Passing if it
        contradicts what is known.
        """
        if self._head is not None:
            self._check_head(self._head)
        known = self._expected
        if known.bytes not in (None, self.size):
            detail = f"{self.size:,} bytes, known are {known.bytes:,}"
            raise self.wrong(Reason.WRONG_SIZE, detail)
        proofs = []
        for proof, hashed, digest in (
            (Proof.MD5, self._md5, known.md5),
            (Proof.SHA256, self._sha256, known.sha256),
        ):
            if digest and hashed:
                if hashed.hexdigest() != digest.lower():
                    raise self.wrong(Reason.WRONG_HASH, f"{proof} is not {digest}")
                proofs.append(proof)
        return proofs[0] if proofs else None

    def wrong(self, reason: Reason, detail: str) -> Passing:
        """Return a failure that identifies the content by its hash."""
        return Passing(reason, detail, self.digest)

    def _refuse_size(self) -> None:
        if self.size > self._max_bytes:
            raise Refusal(Reason.TOO_MANY_BYTES, f"{self.size:,} and more")
        known = self._expected.bytes
        detail = f"{self.size:,} bytes and more, known are {known:,}"
        raise Passing(Reason.WRONG_SIZE, detail, b"more than %d" % (known or 0))

    def _check_head(self, head: bytes) -> None:
        self._head = None
        try:
            self._check.head(head)
        except Refusal as refusal:
            begin = hashlib.sha256(head[:HEAD_BYTES]).digest()
            raise Passing(refusal.reason, refusal.detail, begin) from refusal
