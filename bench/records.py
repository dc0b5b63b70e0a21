"""Records of measurements, as in the JSON files."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

MIX = "mix"


class Role(StrEnum):
    """The role of a contender. The floor is the least work that every other one must do."""

    OURS = "ours"
    FLOOR = "floor"
    PEER = "peer"


class Sample(Struct, frozen=True):
    """The cost of doing the work once: CPU and wall-clock time.

    `busy` is the share of their time that workers were at jobs, if that is measured.
    """

    cpu_seconds: float
    seconds: float
    busy: float | None = None


class Result(Struct, frozen=True, kw_only=True):
    """The result of one contender of a benchmark on one part of the corpus (empty: all of it).

    `images` and `megapixels` (of the originals) are the work of one sample. Rows of tables count as
    images, and have 0 megapixels. `source` is the hash of the measuring code.
    """

    benchmark: str
    source: str
    contender: str
    part: str
    role: Role
    images: int
    megapixels: float
    samples: Sequence[Sample]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.benchmark, self.part, self.contender

    @property
    def cpu_seconds(self) -> float:
        """The median of the samples, as of `seconds`."""
        return statistics.median(sample.cpu_seconds for sample in self.samples)

    @property
    def seconds(self) -> float:
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def busy(self) -> float | None:
        """The median of the samples that have one."""
        found = [sample.busy for sample in self.samples if sample.busy is not None]
        return statistics.median(found) if found else None

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a share of the median CPU time."""
        if len(self.samples) < 2:
            return math.nan
        costs = [sample.cpu_seconds for sample in self.samples]
        low, _, high = statistics.quantiles(costs, method="inclusive")
        return (high - low) / 2 / self.cpu_seconds


class Run(Struct, frozen=True, kw_only=True):
    """One run of the suite; `committed` and `at` are seconds since 1970."""

    at: float
    commit: str
    committed: float
    changed: bool
    """True if the working tree had changes."""
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    corpus: str
    results: Sequence[Result]


def with_mix(results: Iterable[Result]) -> list[Result]:
    """Return the results, and one for the whole corpus of each contender with several parts.

    Its samples are the sums of the parts' samples of the same round.
    """
    results = list(results)
    parts = defaultdict(list)
    for result in results:
        parts[result.benchmark, result.contender].append(result)
    return results + [_sum(group) for group in parts.values() if len(group) > 1]


def _sum(parts: list[Result]) -> Result:
    rounds = zip(*(part.samples for part in parts), strict=True)
    return replace(
        parts[0],
        part=MIX,
        images=sum(part.images for part in parts),
        megapixels=sum(part.megapixels for part in parts),
        samples=[
            Sample(sum(s.cpu_seconds for s in samples), sum(s.seconds for s in samples))
            for samples in rounds
        ],
    )
