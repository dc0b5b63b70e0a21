"""What was made from the same files by the same settings need not be made again.

For tables that take minutes and depend on nothing else. A receipt, written last, says from what
they were made, which files there are of them, and what there was to say.
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
"""Raised by whoever changes the code such that tables change."""


class _Receipt(Struct, frozen=True):
    made_from: str
    sizes: dict[str, int]
    summary: TagsSummary


def fingerprint(settings: Iterable[Struct], large: Iterable[Path], small: Iterable[Path]) -> str:
    """Of settings, of files by path, size and time of their last change, and of others by content.

    Raises OSError where a file is not there.
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
    """What there was to say of it, where all of it stands; else None."""
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(receipt.read_bytes(), type=_Receipt)
        sizes = {name: Path(name).stat().st_size for name in found.sizes}
        if found.made_from == made_from and found.sizes == sizes:
            return found.summary
    return None


def remember(receipt: Path, made_from: str, made: Iterable[Path], summary: TagsSummary) -> None:
    """Write the receipt. Raises OutputError where that is not possible."""
    sizes = {str(path): path.stat().st_size for path in made}
    with replacing(receipt) as part:
        part.write_bytes(msgspec.json.encode(_Receipt(made_from, sizes, summary)))
