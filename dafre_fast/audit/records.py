"""Records of an audit: which images of a dataset are the same picture."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.findings import Finding


class Kind(StrEnum):
    """The way in which an image is a duplicate."""

    EXACT = "exact"
    """Its output or its original has the same bytes as another image's."""
    NEAR = "near"


class Why(StrEnum):
    """The reason to leave an image out."""

    OTHER_SPLIT = "other_split"
    """It is a duplicate of an image kept in another split."""
    SAME_SPLIT = "same_split"


class Groups(Struct, frozen=True):
    """Counts of duplicates. A group is a connected component of pairs of duplicates.

    `within` counts groups inside one split, by split; `across` groups over several, by their names
    (`train+test`). `other_class`: groups with images of several classes. `leaked`: images of a
    split that form a pair with one of another, by `test in train` and so on. `largest_distance`:
    bits, the largest between two images of a group; `chained`: groups in which it exceeds the
    distance allowed for pairs. `left_out`: images by `Why`.
    """

    groups: int
    images: int
    exact: int
    within: Mapping[str, int]
    across: Mapping[str, int]
    other_class: int
    leaked: Mapping[str, int]
    left_out: Mapping[str, int]
    largest_distance: int
    chained: int


class Audit(Struct, frozen=True):
    """The result of an audit: images = compared + not_made + refused.

    `plain` counts compared images with too little detail for a hash: only their bytes were
    compared. CPU times are in seconds, of this process and its workers; that of hashing is of the
    workers alone.
    """

    images: int
    compared: int
    plain: int
    not_made: int
    refused: Sequence[Finding]
    distance: int
    keep: str
    duplicates: Groups
    seconds: float
    cpu_seconds: float
    cpu_seconds_of_hashing: float
