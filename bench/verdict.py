"""Judge pairs of samples. Pure: no clock, no process.

The two samples of a pair are taken side by side, so that other load on the machine affects both. On
a busy machine CPU time doubles for seconds at a time; only the ratio within a pair is stable. The
test is Wilcoxon's signed-rank test on the logarithms of the ratios. It assumes no distribution, and
an outlier counts no more than any other pair.

Seven pairs are the fewest that can be significant at this level: p = 2 / 2**7 = 1.6% if all agree.
With nine pairs and noise of 5% on either side, the test misses 1 of 100 slow-downs by 15%, and
finds a difference between a version and itself in 1.5 of 100 cases. `bench.compare` therefore
reports a difference only if it is found twice.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from msgspec import Struct

LEAST_SAMPLES, SAMPLES = 7, 9
_SIGNIFICANT = 0.02


class Verdict(StrEnum):
    """The effect of a change on the CPU time of one benchmark."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    NOT_COMPARABLE = "not comparable"


class Judgement(Struct, frozen=True):
    """A verdict with its figures.

    `ratio` is the time of the new version by that of the base: above 1 is slower. `p` is the
    probability of such pairs if there is no difference.
    """

    verdict: Verdict
    ratio: float = math.nan
    p: float = math.nan


def judge(base: Sequence[float], new: Sequence[float]) -> Judgement:
    """Compare CPU times in seconds; samples at the same place in both sequences form a pair.

    The ratio is the Hodges-Lehmann estimate, the median over the means of any two pairs, so that it
    never contradicts the test. Raises ValueError for fewer than seven pairs.
    """
    if min(len(base), len(new)) < LEAST_SAMPLES:
        raise ValueError(f"a verdict needs {LEAST_SAMPLES} samples a side")
    ratios = np.log(new) - np.log(base)
    if not ratios.any():
        return Judgement(Verdict.NO_DIFFERENCE, 1.0, 1.0)
    p = signed_rank(ratios)
    pairs = np.triu_indices(len(ratios))
    ratio = float(np.exp(np.median((ratios[pairs[0]] + ratios[pairs[1]]) / 2)))
    if not p < _SIGNIFICANT:
        return Judgement(Verdict.NO_DIFFERENCE, ratio, p)
    return Judgement(Verdict.WORSE if ratio > 1 else Verdict.BETTER, ratio, p)


def signed_rank(differences: np.ndarray) -> float:
    """Return the p-value of Wilcoxon's signed-rank test (1945), exact and two-sided.

    Differences of zero are left out, and equal ones share the mean of their ranks. Scipy is not
    used: if it is installed, numba imports it, which adds a third of a CPU-second to every start
    that is measured.
    """
    sizes = np.sort(np.abs(differences[differences != 0]))
    places = (np.searchsorted(sizes, np.abs(differences), side) for side in ("left", "right"))
    ranks = np.where(differences == 0, 0, sum(places) + 1)  # twice the mean rank of equals
    above, total = int(ranks[differences > 0].sum()), int(ranks.sum())
    ways = np.zeros(total + 1)  # the number of choices of signs for each sum of ranks
    ways[0] = 1
    for rank in ranks[ranks > 0]:
        ways[rank:] += ways[:-rank].copy()
    tail = ways[: min(above, total - above) + 1].sum()
    return float(min(1.0, 2 * tail / ways.sum()))
