"""What an audit has to say: which images of a dataset are the same picture."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from dafre_fast.core.findings import Finding


class Kind(StrEnum):
    """How an image of a group is a duplicate."""

    EXACT = "exact"
    """The bytes of its output, or of its original, are those of another image."""
    NEAR = "near"


class Why(StrEnum):
    """Why an image is to be left out."""

    OTHER_SPLIT = "other_split"
    """It is a duplicate of an image that stays in another split."""
    SAME_SPLIT = "same_split"


class Groups(Struct, frozen=True):
    """Duplicates, counted. A group is a connected component: pairs of duplicates lead from each of
    its images to each other one.

    `within` has groups by the only split they are in, `across` by all of theirs (`train+test`).
    `other_class`: groups with images of several classes. `leaked`: by `test in train` and so on,
    images of the first split that make a pair with one of the second. `largest_distance` is that
    between any two of a group, in bits; `chained` are groups in which it is more than that of
    pairs. `left_out`: images by `Why`.
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
    """What was compared and found.

    images = compared + not_made + refused; `plain` are those of the compared that have too little
    in them for a hash, so that only their bytes were compared. CPU time in seconds, of this process
    and its workers; that of hashing is of the workers alone.
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
