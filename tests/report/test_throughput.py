from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.report.throughput import LONGEST_WAIT, throughput

times = st.lists(st.floats(1e9, 1e9 + 1000).map(lambda at: round(at, 3)), max_size=30)


def test_a_break_between_two_runs_is_left_out() -> None:
    first, second = np.arange(0, 11.0), np.arange(5000, 5011.0)
    found = throughput({"make": np.concatenate([second, first])}, untimed=3)
    assert found
    assert (found.seconds, found.breaks, found.untimed) == (20.0, 1, 3)
    assert found.stages[0].outcomes == 22


@given(times, times)
def test_the_bins_of_a_stage_hold_all_its_outcomes(fetched, made) -> None:
    given_times = {"fetch": np.array(fetched), "make": np.array(made)}
    found = throughput(given_times, untimed=0)
    if len({*fetched, *made}) < 2:
        assert found is None
        return
    everything = sorted([*fetched, *made])
    waits = [after - before for before, after in pairwise(everything)]
    worked = sum(wait for wait in waits if wait <= LONGEST_WAIT)
    if worked == 0:
        assert found is None
        return
    assert found
    assert found.seconds == pytest.approx(worked)
    for stage in found.stages:
        bins = np.array(stage.per_second) * found.seconds / len(stage.per_second)
        assert round(bins.sum()) == stage.outcomes == len(given_times[stage.stage])


def test_without_two_moments_there_is_nothing_to_tell() -> None:
    assert throughput({}, untimed=5) is None
    assert throughput({"make": np.array([7.0, 7.0])}, untimed=0) is None
