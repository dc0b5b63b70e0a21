"""The limit of open files of real processes."""

import json
import subprocess
import sys

import pytest

from tests.torture.kills import write_originals


def under(limits: str, script: str) -> list[int]:
    command = ["bash", "-c", f'{limits}; exec "$@"', "bash", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [*map(int, done.stdout.split())]


def test_the_limit_is_raised_to_the_hard_one() -> None:
    script = (
        "from dafre_fast.core.limits import open_files, raise_open_files\n"
        "print(open_files()); raise_open_files(); print(open_files())"
    )
    assert under("ulimit -Sn 100; ulimit -Hn 300", script) == [100, 300]


@pytest.mark.parametrize(("limit", "least"), [(1024, 100), (64, 2), (20, 1)])
def test_downloads_and_workers_share_the_files_that_are_left(limit, least) -> None:
    script = (
        "from dafre_fast.core.limits import most_downloads, most_workers\n"
        "print(most_downloads(), most_workers())"
    )
    downloads, workers = under(f"ulimit -n {limit}", script)
    assert downloads >= workers >= least
    assert 2 * downloads + 4 * workers <= max(limit, 6)


@pytest.mark.slow
def test_a_run_under_a_low_limit_takes_longer_and_loses_nothing(tmp_path) -> None:
    write_originals(tmp_path / "original", 12)
    run = [sys.executable, "-m", "dafre_fast.resize", "--workers", "50", "--json"]
    command = ["bash", "-c", 'ulimit -n 64; exec "$@"', "bash", *run]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["success"] == 12
    assert "only 64 files may be open at once" in done.stderr
