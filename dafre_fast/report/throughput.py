"""Compute the speed of each stage from the times at which outcomes were recorded."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dafre_fast.report.records import Pace, Throughput

LONGEST_WAIT = 60.0
"""Seconds; a longer wait between two outcomes is a break, for example between two runs."""
_BINS = 60


def throughput(times: Mapping[str, NDArray[np.float64]], untimed: int) -> Throughput | None:
    """Return the speed of each stage, given its times (float64 seconds since 1970, any order).

    Returns None if there are no two different times.
    """
    everything = np.sort(np.concatenate([*times.values()])) if times else np.empty(0)
    if everything.size < 2 or everything[0] == everything[-1]:
        return None
    waits = np.diff(everything, prepend=everything[0])
    breaks = waits > LONGEST_WAIT
    worked = np.cumsum(np.where(breaks, 0.0, waits))
    seconds = float(worked[-1])
    if seconds <= 0:
        return None
    edges = np.linspace(0, seconds, _BINS + 1)
    stages = []
    for stage, own in times.items():
        if own.size:
            at = worked[np.searchsorted(everything, own)]
            counted = np.histogram(at, edges)[0] * (_BINS / seconds)
            stages.append(Pace(stage, own.size, [float(value) for value in counted]))
    return Throughput(seconds, int(breaks.sum()), LONGEST_WAIT, stages, untimed)
