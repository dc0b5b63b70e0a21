"""The time that workers wait, from the turns that they took."""

import pytest

from bench.benchmarks.busy import Turn, waits


def turn(worker: int, began: float, ended: float, waits: int = 0) -> Turn:
    """A job during which the worker did not wait."""
    return Turn(worker, began, waits, ended, waits)


@pytest.mark.parametrize(
    ("turns", "waited"),
    [
        # it waited between its jobs, and the other one had its jobs at once
        ([turn(1, 0, 2), turn(1, 3, 5, waits=1), turn(2, 0, 2.5), turn(2, 2.5, 5)], [1]),
        # another process had its core
        ([turn(1, 0, 2), turn(1, 3, 5), turn(2, 0, 2.5), turn(2, 2.5, 5)], []),
        # one has nothing left while the other has a job that none has begun
        ([turn(1, 0, 1), turn(2, 0, 2), turn(2, 2, 9)], [1]),
        # nothing is left to begin
        ([turn(1, 0, 1), turn(2, 0, 9)], []),
        # one begins late, and one never
        ([turn(1, 0, 4), turn(1, 4, 5)], [4]),
        ([turn(1, 0, 4), turn(2, 3, 5)], [3]),
    ],
)
def test_a_worker_waits_while_there_is_a_job_that_none_has_begun(turns, waited) -> None:
    assert waits(turns, workers=2) == waited
