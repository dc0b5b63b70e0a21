"""The findings of `verify`: where files, labels and records differ from each other."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Flaw(StrEnum):
    """One way to be wrong. A file has the first flaw that applies, in the order given here."""

    # files against the record
    MISSING = "missing"
    UNREADABLE = "unreadable"
    WRONG_SIZE = "wrong_size"
    WRONG_HASH = "wrong_hash"
    BROKEN_JPEG = "broken_jpeg"
    """The file is as recorded, but not a whole JPEG, WebP or PNG."""
    WRONG_DIMENSIONS = "wrong_dimensions"
    UNDECODABLE = "undecodable"
    NOT_CHECKED = "not_checked"
    """A worker died or hung twice while it checked this file alone."""
    ORPHAN = "orphan"
    """The file belongs to no row."""
    LEFTOVER = "leftover"
    """The file is a half-written one of a run that was killed."""
    # labels against the manifest
    MALFORMED_LABEL = "malformed_label"
    UNKNOWN_LABEL = "unknown_label"
    """The label is of an image that the manifest does not have."""
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
        """True if the file is not the one that was made, so that it can be removed and remade."""
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
    """One output as it is recorded.

    `file` is its path in the dataset; `width` and `height` are in pixels. If it is a member of a
    `shard` (a path in the dataset, too), `file` is the name of the member below that path, and
    `offset` is the byte at which its data begin.
    """

    file: str
    bytes: int | None
    sha256: str
    width: int | None = None
    height: int | None = None
    shard: str | None = None
    offset: int = 0


class Finding(Struct, frozen=True):
    """One flaw: at which file, line or key it was found, and the difference."""

    flaw: Flaw
    where: str
    detail: str = ""


class Verification(Struct, frozen=True):
    """The result of `verify`; its findings are in the order of `Flaw`.

    `files` were made of `images`, and compared with `records`. `labels_of_refused` counts images
    that are labelled, as published, but were refused. `removed` has the paths of removed files. CPU
    time, in seconds, is that of this process and its workers.
    """

    images: int
    files: int
    records: Sequence[str]
    findings: Sequence[Finding]
    labels_of_refused: int
    removed: Sequence[str]
    seconds: float
    cpu_seconds: float
