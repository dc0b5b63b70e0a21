"""Run every fault of the fault server through the real source, with the md5 known and without."""

import asyncio
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import trustme

from dafre_fast.core.reasons import Proof, Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sample.cast import Kind, portraits
from dafre_fast.sample.originals import encode
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check
from dafre_fast.testing.fault_server import serving_faults
from dafre_fast.testing.faults import FAULTS, Fault

SETTINGS = Fetching(
    retries=3, timeout=10.0, stall_timeout=0.8, max_bytes=5_000_000, patience=5.0, connections=8
)
DEADLINE_SECONDS = SETTINGS.timeout + SETTINGS.patience + 2
AT_ONCE = 24
"""Faults at a time: on a busy machine all of them together would run into their timeouts."""
FIRST_ID = 1_000
WHOLE = Check(head=sniff, whole=check_end)

REFUSED = {
    "reset-always": Reason.NETWORK_ERROR,
    "short-always": Reason.NETWORK_ERROR,
    "unsized-always": Reason.TRUNCATED,
    "unsized-png": Reason.TRUNCATED,
    "chunked-always": Reason.NETWORK_ERROR,
    "understated": Reason.TRUNCATED,
    "error-500": Reason.SERVER_ERROR,
    "error-503": Reason.SERVER_ERROR,
    "busy-all-day": Reason.HOST_DOWN,
    "not-found": Reason.NOT_FOUND,
    "gone": Reason.NOT_FOUND,
    "forbidden-by-law": Reason.FORBIDDEN,
    "no-content": Reason.HTTP_ERROR,
    "not-modified": Reason.HTTP_ERROR,
    "unasked-part": Reason.HTTP_ERROR,
    "page": Reason.NOT_AN_IMAGE,
    "page-as-jpeg": Reason.NOT_AN_IMAGE,
    "empty": Reason.EMPTY_FILE,
    "gzip-cut": Reason.NETWORK_ERROR,
    "gzip-bomb": Reason.TOO_MANY_BYTES,
    "brotli": Reason.HTTP_ERROR,
    "redirect-loop": Reason.BAD_REDIRECT,
    "redirect-private": Reason.BAD_REDIRECT,
    "redirect-file": Reason.BAD_REDIRECT,
    "redirect-nowhere": Reason.BAD_REDIRECT,
    "redirect-garbage": Reason.BAD_REDIRECT,
    "redirect-name": Reason.BAD_REDIRECT,
    "flipped": None,
    "flipped-png": Reason.CORRUPT,
    "headers-many": Reason.HTTP_ERROR,
    "header-long": Reason.HTTP_ERROR,
    "endless": Reason.TOO_MANY_BYTES,
    "endless-zeros": Reason.NOT_AN_IMAGE,
    "silent": Reason.TOO_SLOW,
    "slow-headers": Reason.TOO_SLOW,
    "slow-body": Reason.TOO_SLOW,
    "dawdling": Reason.DOWNLOAD_TIMEOUT,
    "not-http": Reason.HTTP_ERROR,
    "self-signed": Reason.BAD_CERTIFICATE,
    "no-such-name": Reason.DNS_ERROR,
    "nobody": Reason.NETWORK_ERROR,
}
"""Reason of each fault that a retry does not cure, without an md5. A fault that cannot be detected
without one has None: the file is kept as `unverified`.
"""
REFUSED_BY_MD5 = {
    "unsized-always": Reason.WRONG_HASH,
    "unsized-png": Reason.WRONG_HASH,
    "understated": Reason.WRONG_HASH,
    "flipped": Reason.WRONG_HASH,
    "flipped-png": Reason.WRONG_HASH,
}
"""Reason of the same faults with an md5, where it differs."""
UNVERIFIED = {"flipped", "flipped-once"}
"""Faults that cannot be detected without an md5."""


class Verdict(StrEnum):
    """Endings of a fault."""

    RIGHT = "right"
    REFUSED = "refused"
    UNVERIFIED = "unverified"
    """A flipped bit among the pixels of a JPEG, and no md5: the manifest says so."""
    CORRUPT = "corrupt"
    DIRTY = "dirty"
    HANGING = "hanging"


GOOD = {Verdict.RIGHT, Verdict.REFUSED, Verdict.UNVERIFIED}


@dataclass(frozen=True)
class Ending:
    """The ending of one fault. Attempts and seconds are those of the file that needed most."""

    fault: Fault
    md5_known: bool
    verdict: Verdict
    reason: Reason | None
    detail: str
    attempts: int
    seconds: float
    fetched: tuple[Fetched, ...] = ()

    @property
    def good(self) -> bool:
        """True if the file was fetched, or was refused for the right reason and no retry helps."""
        lost = self.fault.recoverable and self.verdict is Verdict.REFUSED
        return self.verdict in GOOD and self.reason is self.expected and not lost

    @property
    def expected(self) -> Reason | None:
        """The right reason; None if the file has to be kept."""
        name = self.fault.name
        by_md5 = REFUSED_BY_MD5.get(name) if self.md5_known else None
        return by_md5 or REFUSED.get(name)


@dataclass(frozen=True)
class Files:
    """The files that a server without fault would send."""

    jpeg: bytes
    png: bytes

    def of(self, fault: Fault) -> bytes:
        return self.png if fault.png else self.jpeg


def drawn() -> Files:
    of_kind = {portrait.kind: portrait for portrait in portraits()}
    return Files(encode(of_kind[Kind.JPEG]), encode(of_kind[Kind.PNG]))


@contextmanager
def served(files: Files, folder: Path) -> Iterator[dict[str, str]]:
    """The templates of all faults."""
    certificate = folder / "certificate.pem"
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    with serving_faults(files.jpeg, files.png, certificate) as templates:
        yield templates


def endings(folder: Path) -> list[Ending]:
    """Return how every fault ended, each with the md5 known and not."""
    files = drawn()
    with served(files, folder) as templates:

        async def main() -> list[Ending]:
            slots = asyncio.Semaphore(AT_ONCE)

            async def end_in_a_slot(fault: Fault, *, known: bool) -> Ending:
                async with slots:
                    template, right = templates[fault.name], files.of(fault)
                    return await end(fault, template, right, folder, md5_known=known)

            cases = ((fault, known) for fault in FAULTS for known in (True, False))
            return await asyncio.gather(*(end_in_a_slot(one, known=known) for one, known in cases))

        return asyncio.run(main())


async def end(
    fault: Fault, template: str, right: bytes, folder: Path, *, md5_known: bool
) -> Ending:
    """One fault through the source that `--source` would choose."""
    place = folder / fault.name / ("md5" if md5_known else "no-md5")
    md5 = hashlib.md5(right).hexdigest() if md5_known else None
    extension = "png" if fault.png else "jpg"
    first = FIRST_ID if md5_known else 2 * FIRST_ID
    sought = [Sought(str(first + n), extension=extension, md5=md5) for n in range(fault.files)]
    fetched: list[Fetched] = []

    async def take(_: Sought, one: Fetched) -> None:
        fetched.append(one)

    began = time.monotonic()
    hanging = False
    source = choose(template, place, SETTINGS, WHOLE, lambda _: None)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS), source:
            await source.fetch(sought, take)
    except TimeoutError:
        hanging = True
    worst = max(fetched, key=lambda one: (one.reason is not None, one.attempts), default=None)
    verdict = Verdict.HANGING if hanging else judge(fault, fetched, len(sought), place, right)
    return Ending(
        fault=fault,
        md5_known=md5_known,
        verdict=verdict,
        reason=worst.reason if worst else None,
        detail=worst.detail if worst else "",
        attempts=worst.attempts if worst else 0,
        seconds=time.monotonic() - began,
        fetched=tuple(fetched),
    )


def judge(
    fault: Fault, fetched: Sequence[Fetched], sought: int, folder: Path, right: bytes
) -> Verdict:
    """Return the verdict by the files on the disk, whatever the outcomes say."""
    files = {path for path in folder.rglob("*") if path.is_file()}
    said = {Path(one.path) for one in fetched if one.path and one.reason is None}
    if len(fetched) != sought or files != said:
        return Verdict.DIRTY
    if any(path.read_bytes() != right for path in files):
        proofs = {one.proof for one in fetched}
        nobody_can_tell = fault.name in UNVERIFIED and proofs == {Proof.UNVERIFIED}
        return Verdict.UNVERIFIED if nobody_can_tell else Verdict.CORRUPT
    return Verdict.REFUSED if any(one.reason for one in fetched) else Verdict.RIGHT
