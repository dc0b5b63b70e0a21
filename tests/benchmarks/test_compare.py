"""Two versions in a repository made for the test: real trees and processes, made-up costs."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.benchmarks import GROUPS, NAMES
from bench.compare import main

# A substitute for the suite's own player. The cost of a sample depends on the number of samples
# before it: noisy, and the same every time. The cost of a version is defined outside the benchmark.
PLAYER = """
import json, random, sys
from pathlib import Path
from speed import COST

taken = Path(sys.argv[-1], "taken")
for _ in sys.stdin:
    with taken.open("a") as file:
        file.write(".")
    cost = COST * random.Random(taken.stat().st_size).lognormvariate(0, 0.05)
    print(json.dumps([{
        "benchmark": sys.argv[1],
        "source": Path("bench", "benchmarks", f"{sys.argv[1]}.py").read_text(),
        "contender": "made up",
        "part": "",
        "role": "ours",
        "images": 1,
        "megapixels": 1.0,
        "samples": [{"cpu_seconds": cost, "seconds": cost}],
    }]), flush=True)
"""
INTERRUPTS = """
import os, signal
os.kill(os.getppid(), signal.SIGINT)
signal.pause()
"""


@pytest.fixture
def repository(tmp_path) -> Path:
    """One benchmark, and one version, tagged `v1`."""
    folder = tmp_path / "repository"
    (folder / "bench" / "benchmarks").mkdir(parents=True)
    (folder / "bench" / "__init__.py").touch()
    (folder / "bench" / "player.py").write_text(PLAYER)
    (folder / "bench" / "benchmarks" / "made_up.py").write_text("# measures nothing\n")
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet")
    commit(folder, "COST = 1.0\n")
    git(folder, "tag", "v1")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    command = ["git", "-C", folder, *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, speed: str) -> None:
    (folder / "speed.py").write_text(speed)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "another speed")


@pytest.fixture
def compare(repository, corpus, tmp_path, monkeypatch):
    """The command line, in the repository."""
    monkeypatch.chdir(repository)

    def run(*arguments: str):
        paths = ("--corpus", str(corpus.folder), "--output", str(tmp_path / "output"))
        return CliRunner().invoke(main, [*arguments, *paths])

    return run


@pytest.mark.slow
def test_a_slow_down_of_15_percent_is_worse_and_status_1(compare, repository) -> None:
    commit(repository, "COST = 1.15\n")
    result = compare("v1", "made_up")
    assert "worse" in result.output
    assert result.exit_code == 1


def test_a_version_does_not_differ_from_itself(compare) -> None:
    result = compare("v1", "made_up")
    assert "no difference" in result.output
    assert result.exit_code == 0


def test_a_slow_down_below_the_limit_is_worse_and_status_0(compare, repository) -> None:
    commit(repository, "COST = 1.15\n")
    result = compare("v1", "made_up", "--limit", "20")
    assert "worse" in result.output
    assert result.exit_code == 0


@pytest.mark.slow
def test_changes_that_are_not_committed_are_compared_too(compare, repository) -> None:
    (repository / "speed.py").write_text("COST = 0.8\n")
    result = compare("v1", "made_up")
    assert "better" in result.output
    assert result.exit_code == 0


def test_an_old_package_is_measured_by_the_new_benchmarks(compare, repository) -> None:
    with (repository / "bench/benchmarks/made_up.py").open("a") as file:
        file.write("# measured in another way\n")
    made_up = repository / "bench/benchmarks/made_up.py"
    made_up.rename(made_up.with_name("renamed.py"))
    result = compare("v1", "renamed")
    assert "no difference" in result.output
    assert result.exit_code == 0


def test_benchmarks_that_follow_a_moved_module_measure_both_packages(compare, repository) -> None:
    player = repository / "bench/player.py"
    (repository / "pace.py").write_text((repository / "speed.py").read_text())
    (repository / "speed.py").unlink()
    player.write_text(PLAYER.replace("from speed import COST", "from pace import COST"))
    result = compare("v1", "made_up")
    assert "no difference" in result.output
    assert result.exit_code == 0


def test_what_the_new_benchmark_cannot_measure_in_the_old_package_is_no_success(
    compare, repository
) -> None:
    (repository / "bench/benchmarks/made_up.py").write_text("# of another sort\n")
    (repository / "speed.py").write_text("COST = 1.0\nMORE = 2.0\n")
    (repository / "bench/player.py").write_text(PLAYER.replace("import COST", "import COST, MORE"))
    result = compare("v1", "made_up")
    assert "made_up: the benchmark differs between the versions; it fails in base: Imp" in (
        result.output
    )
    assert "could not be compared: 1 of 1" in result.output
    assert result.exit_code == 3


def test_a_benchmark_that_fails_is_not_comparable_and_says_why(compare, repository) -> None:
    (repository / "speed.py").write_text("raise RuntimeError('no such speed')\n")
    result = compare("v1", "made_up")
    assert "not comparable" in result.output
    assert "no such speed" in result.output
    assert result.exit_code == 3


def test_too_few_samples_in_the_time_that_there_is_are_no_verdict(compare) -> None:
    result = compare("v1", "made_up", "--minutes", "0.0001")
    assert "a verdict needs 7; --minutes gives more" in result.output
    assert result.exit_code == 3


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_names_benchmarks_that_there_are(group) -> None:
    assert {*GROUPS[group]} <= {*NAMES}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("v2",), "Error: 'v2' is not a commit, branch or tag of this repository\n"),
        (("v1", "pixel"), "Error: pixel: no such benchmark; there are made_up\n"),
        (
            ("v1", "made_up", "--group", "start"),
            "Error: name benchmarks or the group start, not both\n",
        ),
    ],
)
def test_what_is_not_there_is_one_line_and_status_2(compare, arguments, message) -> None:
    result = compare(*arguments)
    assert (result.output, result.exit_code) == (message, 2)


def test_ctrl_c_removes_the_trees(compare, repository) -> None:
    commit(repository, INTERRUPTS)
    result = compare("v1", "made_up")
    assert result.exit_code == 130
    assert git(repository, "worktree", "list").count("\n") == 1
