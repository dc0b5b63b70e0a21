"""Parts of a run: which of how many it is."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple, Self

from dafre_fast.core.errors import UsageError

_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


class Part(NamedTuple):
    """One of `of` parts of a run; `number` counts from 1."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the part that a user writes as `3/10`. Raises UsageError for anything else."""
        if found := _WRITTEN.fullmatch(text):
            part = cls(*map(int, found.groups()))
            if 1 <= part.number <= part.of:
                return part
        raise UsageError(f"--part {text!r}: must be I/N, one of 1/N to N/N, such as 3/10")

    @property
    def folder(self) -> str:
        """The name of its folder: `3-10`."""
        return f"{self.number}-{self.of}"

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def ranges(numbers: Iterable[int]) -> str:
    """Return ascending numbers as ranges: `1-3, 5, 8-9`."""
    runs: list[Sequence[int]] = [
        [number for _, number in run]
        for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def named(numbers: Sequence[int]) -> str:
    """Return ascending numbers of parts in words: `part 3`, `parts 1-3, 5`."""
    return f"part{'' if len(numbers) == 1 else 's'} {ranges(numbers)}"
