"""What a run has to say for itself at the end."""

from collections.abc import Mapping, Sequence

from msgspec import Struct


class Step(Struct, frozen=True):
    """One step of the funnel: what is left after it."""

    name: str
    images: int
    classes: int


NAMED_LINES = 10
"""Of rows with one problem, as many are named."""


class Problem(Struct, frozen=True):
    """Rows of a table that were set aside for one reason: how many, and the lines (from 1) of the
    first `NAMED_LINES`.
    """

    table: str
    problem: str
    rows: int
    lines: Sequence[int]


class Work(Struct, frozen=True):
    """What this run did: images brought to an outcome, and what that took, in seconds.

    CPU time is user and system time of this process and its workers.
    """

    images: int
    seconds: float
    cpu_seconds: float


class Summary(Struct, frozen=True):
    """`images` asked for are `success` and `refused` (by reason), always."""

    images: int
    success: int
    refused: Mapping[str, int]
    work: Work | None = None
    funnel: Sequence[Step] = ()
    bad_rows: Sequence[Problem] = ()
    bad_rows_list: str | None = None
    """Path of the list of all bad rows, where there are any."""
