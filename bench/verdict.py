"""Two lists of samples to a verdict. Pure: no clock, no process.

The test is Mann-Whitney's U: it asks for no distribution, and a sample that something else on the
machine blew up counts as the largest, no more. It is not paired: the signed-rank test of 7 pairs
cannot go below p = 2 / 2**7, 1.6%, while that of 7 against 7 goes down to 0.06%. Under noise of 5%
it misses 2 of 100 slow-downs by 15%, and finds a difference between a version and itself as often;
`bench.compare` therefore believes in a difference when it has seen it twice.
"""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from msgspec import Struct
from scipy.stats import mannwhitneyu

LEAST_SAMPLES = 7
_SIGNIFICANT = 0.02


class Verdict(StrEnum):
    """What a change did to the CPU time of one benchmark."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    NOT_COMPARABLE = "not comparable"


class Judgement(Struct, frozen=True):
    """`ratio` is new to base, above 1 for slower; `p` the chance of so clear an order of samples
    where there is no difference.
    """

    verdict: Verdict
    ratio: float = math.nan
    p: float = math.nan


def judge(base: Sequence[float], new: Sequence[float]) -> Judgement:
    """Compare CPU times. The ratio is the median over all pairs of samples (Hodges and Lehmann), so
    that it never contradicts the test.
    """
    if min(len(base), len(new)) < LEAST_SAMPLES:
        raise ValueError(f"a verdict needs {LEAST_SAMPLES} samples a side")
    p = float(mannwhitneyu(base, new).pvalue)
    ratio = float(np.exp(np.median(np.subtract.outer(np.log(new), np.log(base)))))
    if not p < _SIGNIFICANT:
        return Judgement(Verdict.NO_DIFFERENCE, ratio, p)
    return Judgement(Verdict.WORSE if ratio > 1 else Verdict.BETTER, ratio, p)
