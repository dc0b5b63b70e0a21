"""Downloads that are killed, and long ones; `make torture` tries more of both."""

import sys

import pytest

from tests.torture.downloads import endure, survive_kills

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5])
def test_a_download_that_is_killed_at_random_moments_ends_as_if_undisturbed(tmp_path, seed) -> None:
    survival = survive_kills(tmp_path, originals=800, kills=5, seed=seed)
    assert survival.faults == ()
    assert survival.kills == 5


@pytest.mark.slow
def test_a_long_run_with_faults_gives_every_row_its_outcome_and_piles_nothing_up(
    tmp_path,
) -> None:
    endurance = endure(tmp_path, 3000)
    assert endurance.faults == ()
    assert sum(endurance.failed.values()) == 30
