"""All targets share FUZZ_SECONDS; with the start of their processes the default is about a minute,
`make fuzz` gives more.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.fuzzer import LONGEST_SHRINKING, ROOT, bounds_checked, fuzz
from tests.fuzz.targets import TARGETS

SHARE = float(os.environ.get("FUZZ_SECONDS", "30")) / len(TARGETS)
FINDINGS = Path(__file__).parent / "findings"
KEPT = [
    pytest.param(path.parent.name, path, id=f"{path.parent.name}/{path.name}")
    for path in sorted(FINDINGS.glob("*/*"))
]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A folder for the kernels that numba compiles with bounds checks."""
    return tmp_path_factory.mktemp("numba")


# Whatever the bytes are


@pytest.mark.slow
@pytest.mark.timeout(SHARE + LONGEST_SHRINKING + 60)
@pytest.mark.parametrize("target", TARGETS)
def test_target_holds_for_whatever_is_drawn(target, cache):
    print(fuzz("tests.fuzz.targets", target, SHARE, FINDINGS, cache))


@pytest.mark.parametrize(("target", "finding"), KEPT)
def test_target_holds_for_what_was_found_once(target, finding):
    check, _ = TARGETS[target]
    check(finding.read_bytes())


# Whatever the sizes are


def ended(*command, env=None):
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_kernels_touch_no_byte_beside_their_arrays():
    process = ended("-X", "faulthandler", "-m", "tests.fuzz.kernels")
    assert process.returncode == 0, process.stderr


@pytest.mark.slow
def test_kernels_stay_within_their_arrays_where_numba_checks_it(cache):
    process = ended("-m", "tests.fuzz.kernels", env=bounds_checked(cache))
    assert process.returncode == 0, process.stderr


TOUCH = """
import ctypes, resource, sys
import numpy as np
from tests.fuzz import guarded
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
array = getattr(guarded, sys.argv[1])(np.arange(9, dtype=np.uint8))
ctypes.string_at(array.ctypes.data + int(sys.argv[2]), 1)
"""


@pytest.mark.parametrize(
    ("place", "inside", "outside"), [("before_guard", 8, 9), ("behind_guard", 0, -1)]
)
def test_one_byte_beside_a_guarded_array_ends_the_process(place, inside, outside):
    assert ended("-c", TOUCH, place, str(inside)).returncode == 0
    assert ended("-c", TOUCH, place, str(outside)).returncode < 0


# The engine


def test_a_failing_input_is_kept_as_small_as_possible(tmp_path, cache):
    with pytest.raises(AssertionError, match="failing"):
        fuzz("tests.fuzz.planted", "failing", 5, tmp_path, cache)
    assert [path.read_bytes() for path in tmp_path.glob("failing/*")] == [b"x"]


def test_a_crashing_input_is_kept(tmp_path, cache):
    with pytest.raises(AssertionError, match="crashing"):
        fuzz("tests.fuzz.planted", "crashing", 5, tmp_path, cache)
    (kept,) = tmp_path.glob("crashing/*")
    assert b"x" in kept.read_bytes()


def test_kept_inputs_are_tried_first(tmp_path, cache):
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing/kept").write_bytes(b"a long text with an x")
    with pytest.raises(AssertionError, match="exit status 1"):
        fuzz("tests.fuzz.planted", "failing", 0, tmp_path, cache)
    kept = {path.read_bytes() for path in tmp_path.glob("failing/*")}
    assert kept == {b"a long text with an x"}


def test_nothing_is_kept_where_all_is_well(tmp_path, cache):
    assert "inputs" in fuzz("tests.fuzz.planted", "good", 0, tmp_path, cache)
    assert not list(tmp_path.iterdir())
