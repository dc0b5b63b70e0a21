"""Pairs of samples to a verdict. Pure: no clock, no process.

The two samples of a pair were taken side by side, so that whatever else the machine did hit both:
on a busy one CPU time doubles for seconds at a time, and only the ratio within a pair stays. The
test is Wilcoxon's signed-rank test on the logarithms of the ratios. It asks for no distribution,
and one pair that was torn apart counts as one pair, no more.

Seven pairs are the least for which it can say anything at this level: p = 2 / 2**7 = 1.6% where all
agree. With nine pairs under noise of 5% on either side it misses 1 of 100 slow-downs by 15%, and
finds a difference between a version and itself 1.5 times in a hundred; `bench.compare` therefore
believes in a difference when it has seen it twice.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from msgspec import Struct

LEAST_SAMPLES, SAMPLES = 7, 9
_SIGNIFICANT = 0.02


class Verdict(StrEnum):
    """What a change did to the CPU time of one benchmark."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    NOT_COMPARABLE = "not comparable"


class Judgement(Struct, frozen=True):
    """`ratio` is new to base, above 1 for slower; `p` the chance of pairs so much of one mind where
    there is no difference.
    """

    verdict: Verdict
    ratio: float = math.nan
    p: float = math.nan


def judge(base: Sequence[float], new: Sequence[float]) -> Judgement:
    """Compare CPU times; what stands at the same place in both makes a pair. The ratio is the
    median over the means of any two pairs (Hodges and Lehmann), so that it never contradicts the
    test.
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
    """Wilcoxon's test (1945), exact and two-sided: the chance of ranks so unevenly spread over the
    signs. Equal pairs say nothing, and differences of one size share their ranks.

    Not scipy's: where that is installed numba imports it too, which would add a third of a
    CPU-second to every start that is measured.
    """
    sizes = np.sort(np.abs(differences[differences != 0]))
    places = (np.searchsorted(sizes, np.abs(differences), side) for side in ("left", "right"))
    ranks = np.where(differences == 0, 0, sum(places) + 1)  # twice the mean rank of equals
    above, total = int(ranks[differences > 0].sum()), int(ranks.sum())
    ways = np.zeros(total + 1)  # to reach a sum of ranks by a choice of signs
    ways[0] = 1
    for rank in ranks[ranks > 0]:
        ways[rank:] += ways[:-rank].copy()
    tail = ways[: min(above, total - above) + 1].sum()
    return float(min(1.0, 2 * tail / ways.sum()))
