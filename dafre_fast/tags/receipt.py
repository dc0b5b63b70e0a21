"""Receipts of tables of tags: with the same inputs and settings they need not be made again.

A receipt is written last. It holds a fingerprint of inputs and settings, the sizes of the files
that were made, and the summary of that run.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.summaries import TagsSummary

_REVISION = 1
"""Revision of the tables. Raise it with any change of code that changes them."""


class _Receipt(Struct, frozen=True):
    made_from: str
    sizes: dict[str, int]
    summary: TagsSummary


def fingerprint(settings: Iterable[Struct], large: Iterable[Path], small: Iterable[Path]) -> str:
    """Return a hash of settings, of large files (path, size and time of last change), and of small
    files (content).

    Raises OSError if a file is missing.
    """
    stats = [(str(path), path.stat()) for path in large]
    seen = (
        _REVISION,
        [*settings],
        [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats],
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in small],
    )
    return hashlib.sha256(msgspec.json.encode(seen, enc_hook=str)).hexdigest()


def recall(receipt: Path, made_from: str) -> TagsSummary | None:
    """Return the summary on a receipt if its fingerprint is the same and its files are complete,
    else None.
    """
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(receipt.read_bytes(), type=_Receipt)
        sizes = {name: Path(name).stat().st_size for name in found.sizes}
        if found.made_from == made_from and found.sizes == sizes:
            return found.summary
    return None


def remember(receipt: Path, made_from: str, made: Iterable[Path], summary: TagsSummary) -> None:
    """Write the receipt of the files `made`. Raises OutputError if the system refuses."""
    sizes = {str(path): path.stat().st_size for path in made}
    with replacing(receipt) as part:
        part.write_bytes(msgspec.json.encode(_Receipt(made_from, sizes, summary)))
