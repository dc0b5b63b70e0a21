"""The limit of open files of real processes."""

import subprocess
import sys

import pytest


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
