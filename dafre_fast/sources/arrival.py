"""Arrival, the last step of every source: bytes become a file under its final name, or nothing.

They are written to a part file. Before that gets its final name it must have the size, the hash and
the format that are known of the original, and must be complete. Most of what an original of usual
size costs here is its hash: another thread computes it (`Arrival.hash_aside`), while this one goes
on with other originals.
"""

import os
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dafre_fast.core.daemons import Daemons
from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.evidence import Evidence, Expected
from dafre_fast.sources.interface import Check
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.part_file import PartFile

_HASHING = Daemons("hash", most=4)

__all__ = ["Arrival", "Arrived", "Expected"]


class Arrived(NamedTuple):
    """A file under its final name: its size in bytes, its SHA-256 in hexadecimal, its proof."""

    bytes: int
    sha256: str
    proof: Proof


class Arrival:
    """One original on its way into the file `path`: write it, then finish or discard."""

    def __init__(
        self, path: Path | str, expected: Expected, settings: Fetching, check: Check
    ) -> None:
        self.path = os.fspath(path)
        self._expected, self._settings, self._check = expected, settings, check
        self._part = PartFile(self.path, sync=settings.sync)
        self._evidence = self._no_evidence()
        self._only: bytes | None = None
        """All that has come, if it came at once."""
        self._truncated: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._evidence.size

    def start_over(self) -> None:
        """Drop what has come so far."""
        self._evidence, self._only = self._no_evidence(), None
        self._part.empty()

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises Refusal if there are too many, Passing if they are no image, and OutputError if the
        disk fails. What has come is discarded then.
        """
        try:
            self._only = None if self._evidence.size else data
            self._evidence.add(data)
            self._part.write(data)
        except BaseException:
            self.discard()
            raise

    def adopt(self, file: Path) -> None:
        """Take a file of the same file system in place of written bytes. Raises as `write` does."""
        try:
            self._only = None
            for data in self._part.adopt(file):
                self._evidence.add(data)
        except BaseException:
            self.discard()
            raise

    async def hash_aside(self) -> None:
        """Hash what has come by another thread, unless it is little: `finish` need not do it then.
        A cancellation does not wait.
        """
        if not self._evidence.is_hashed:
            await _HASHING.run(partial(self._part.again(), self._evidence.hash_rest))

    def finish(self, *, sized: bool = True, proven: Proof | None = None) -> Arrived:
        """Check the original and give it its final name.

        Raises as `write` does, and Passing if it contradicts what is known of it or is not
        complete. What has come is discarded then.

        `sized` is False if nobody said how long it is. A file without a proper end may then have
        been cut on the way, even if its picture is complete; it is taken only if the same comes
        twice. `proven` is the proof that its bytes already had before they came here.
        """
        try:
            if not self._evidence.is_hashed:
                self._part.again()(self._evidence.hash_rest)
            proof = self._evidence.prove() or proven
            if proof is None:
                self._check_whole(sized=sized)
                proof = Proof.UNVERIFIED
            arrived = Arrived(self._evidence.size, self._evidence.sha256, proof)
            self._part.place()
        except BaseException:
            self.discard()
            raise
        return arrived

    def discard(self) -> None:
        """Delete what has come. It may be written again from the start."""
        self._evidence, self._only = self._no_evidence(), None
        self._part.discard()

    def _no_evidence(self) -> Evidence:
        return Evidence(self._expected, self._settings.max_bytes, self._check)

    def _check_whole(self, *, sized: bool) -> None:
        evidence = self._evidence
        with nullcontext(self._only) if self._only else self._part.map() as data:
            try:
                if self._check.whole(data):
                    return
                refused = Refusal(Reason.TRUNCATED, "of unknown length, and without a proper end")
            except Refusal as refusal:
                if self._settings.truncated != "keep" or refusal.reason is not Reason.TRUNCATED:
                    raise evidence.wrong(refusal.reason, refusal.detail) from refusal
                refused = refusal
        before, self._truncated = self._truncated, evidence.digest
        if not sized and before != self._truncated:
            # Without its hash, or the second time would end as "the same twice".
            raise Passing(refused.reason, refused.detail) from refused
