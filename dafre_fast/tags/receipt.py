"""Receipts: skip making tables again from the same files with the same settings.

A receipt is written after its tables. It holds a fingerprint of their inputs, the sizes of the
files that were written, and the summary of the run.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from dafre_fast.core.atomic import replacing
from dafre_fast.core.summaries import TagsSummary

_REVISION = 2
"""Must be raised by any change of code that changes the tables."""


class _Receipt(Struct, frozen=True):
    """The content of a receipt. `sizes` are in bytes, by the path of the file."""

    made_from: str
    sizes: dict[str, int]
    summary: TagsSummary


def fingerprint(settings: Iterable[Struct], large: Iterable[Path], small: Iterable[Path]) -> str:
    """Return a SHA-256 (hex) over settings and input files.

    `large` files count by path, size and time of last change, `small` ones by content. Raises
    OSError if a file does not exist.
    """
    stats = [(str(path), path.stat()) for path in large]
    seen = (
        _REVISION,
        [*settings],
        [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats],
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in small],
    )
    return hashlib.sha256(msgspec.json.encode(seen, enc_hook=str)).hexdigest()


def read_receipt(receipt: Path, made_from: str) -> TagsSummary | None:
    """Return the summary of a receipt if its tables are up to date, else None.

    They are if the fingerprint is `made_from` and every file has its recorded size.
    """
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode(receipt.read_bytes(), type=_Receipt)
        sizes = {name: Path(name).stat().st_size for name in found.sizes}
        if found.made_from == made_from and found.sizes == sizes:
            return found.summary
    return None


def write_receipt(
    receipt: Path, made_from: str, made: Iterable[Path], summary: TagsSummary
) -> None:
    """Record the files `made` from the inputs with fingerprint `made_from`.

    Raises OutputError if the receipt cannot be written.
    """
    sizes = {str(path): path.stat().st_size for path in made}
    with replacing(receipt) as part:
        part.write_bytes(msgspec.json.encode(_Receipt(made_from, sizes, summary)))
