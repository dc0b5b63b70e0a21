"""What a verification has to say: where files, labels and records differ from each other."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Flaw(StrEnum):
    """What is off. Of one file the first that applies, in the order given here."""

    # files against the record
    MISSING = "missing"
    UNREADABLE = "unreadable"
    WRONG_SIZE = "wrong_size"
    WRONG_HASH = "wrong_hash"
    BROKEN_JPEG = "broken_jpeg"
    """It is as recorded, and not a JPEG from its first marker to its last."""
    WRONG_DIMENSIONS = "wrong_dimensions"
    UNDECODABLE = "undecodable"
    NOT_CHECKED = "not_checked"
    """A worker died or hung on it, alone, twice."""
    ORPHAN = "orphan"
    """No row names this file."""
    LEFTOVER = "leftover"
    """What a killed run had begun to write."""
    # labels against the manifest
    MALFORMED_LABEL = "malformed_label"
    UNKNOWN_LABEL = "unknown_label"
    """It names an image that the manifest does not know."""
    REPEATED_LABEL = "repeated_label"
    WRONG_CLASS = "wrong_class"
    WRONG_SPLIT = "wrong_split"
    NO_LABEL = "no_label"
    WRONG_CLASS_NAME = "wrong_class_name"
    # the manifest against the ledger
    REPEATED_ROW = "repeated_row"
    NO_OUTCOME = "no_outcome"
    NOT_IN_LEDGER = "not_in_ledger"
    DIFFERS_FROM_LEDGER = "differs_from_ledger"

    @property
    def damage(self) -> bool:
        """True where the file is not what was made: it can go, and be made again."""
        return self in _DAMAGE


_DAMAGE = frozenset(
    {
        Flaw.WRONG_SIZE,
        Flaw.WRONG_HASH,
        Flaw.BROKEN_JPEG,
        Flaw.WRONG_DIMENSIONS,
        Flaw.UNDECODABLE,
    }
)


class Output(NamedTuple):
    """One picture as it is recorded: the path of its file in the dataset, sizes in bytes and
    pixels. Where it is a member of a `shard` (a path, too), `file` is its name below that, and
    `offset` the byte at which it begins there.
    """

    file: str
    bytes: int | None
    sha256: str
    width: int | None = None
    height: int | None = None
    shard: str | None = None
    offset: int = 0


class Finding(Struct, frozen=True):
    """One thing that is off: at which file, line or key, and how it differs."""

    flaw: Flaw
    where: str
    detail: str = ""


class Verification(Struct, frozen=True):
    """What was compared and found; findings stand in the order of `Flaw`.

    `images` are those that `files` were made of; `records` the tables that files were compared
    with; `labels_of_refused` images that are labelled, as published, and were refused; `removed`
    files of the findings, by path. CPU time is that of this process and its workers.
    """

    images: int
    files: int
    records: Sequence[str]
    findings: Sequence[Finding]
    labels_of_refused: int
    removed: Sequence[str]
    seconds: float
    cpu_seconds: float
