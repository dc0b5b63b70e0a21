"""The types of the Python functions are those that `tests/typing/api.py` says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow  # as is mypy, where it has no cache
def test_mypy_takes_the_right_calls_and_refuses_the_wrong_ones() -> None:
    flags = ("--strict", "--warn-unused-ignores")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *flags, "tests/typing/api.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
