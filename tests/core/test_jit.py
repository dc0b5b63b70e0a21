"""Compiled kernels and their caches, in a small package of their own that has the real `core`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dafre_fast.audit import hamming
from dafre_fast.core import compiling, jit
from dafre_fast.core.compiled import compiler, inlined
from dafre_fast.pixels.kernels import planes
from dafre_fast.tables.kernels.lines import count_lines

INNER = """
from dafre_fast.core.compiled.inlined import inlined

@inlined
def inner():
    return {number}
"""
SOURCE = """
from dafre_fast.tables.kernels.compiled.inner import inner

def outer(numbers, factor):
    numbers[0] = inner() * factor
    return numbers.size
"""
ASK = """
import sys
import numpy as np
from dafre_fast.core.compiling import reported_to
from dafre_fast.core.jit import Kernel

outer = Kernel("dafre_fast.tables.kernels.compiled.outer:outer", "int64(float64[:, ::1], float32)")
numbers = np.zeros((2, 3))
with reported_to(lambda: print("compiling:", end=" ")):
    size = outer(numbers[0, None], 0.5)
print(size, numbers[0, 0], "with" if "numba" in sys.modules else "without", "numba")
"""


@pytest.fixture
def kernels(tmp_path):
    folder = tmp_path / "dafre_fast/tables/kernels/compiled"
    folder.mkdir(parents=True)
    (tmp_path / "dafre_fast/__init__.py").touch()
    (tmp_path / "dafre_fast/core/compiled").mkdir(parents=True)
    for module in (jit, compiling):
        shutil.copy(module.__file__, tmp_path / "dafre_fast/core")
    for module in (compiler, inlined):
        shutil.copy(module.__file__, tmp_path / "dafre_fast/core/compiled")
    (folder / "inner.py").write_text(INNER.format(number=1))
    (folder / "outer.py").write_text(SOURCE)
    return folder


def ask(kernels: Path, **environment: str) -> str:
    """Return the kernel's answer in a new process, and whether it needed numba; before them,
    whether it was said that it is compiled.
    """
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=kernels.parents[3],
        env=os.environ | {"PYTHONPATH": "", "NUMBA_CACHE_DIR": ""} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


@pytest.mark.slow
def test_a_kernel_is_compiled_and_so_reported_once_and_when_one_that_it_inlines_changes(kernels):
    assert ask(kernels) == "compiling: 3 0.5 with numba"
    assert ask(kernels) == "3 0.5 without numba"
    (kernels / "inner.py").write_text(INNER.format(number=2))
    assert ask(kernels) == "compiling: 3 1.0 with numba"
    assert ask(kernels) == "3 1.0 without numba"


@pytest.mark.slow
def test_a_damaged_cache_is_made_anew(kernels):
    ask(kernels)
    (file,) = (kernels / "__pycache__").glob("*.kernel")
    file.write_bytes(file.read_bytes()[:1000])
    assert ask(kernels) == "compiling: 3 0.5 with numba"
    assert ask(kernels) == "3 0.5 without numba"


@pytest.mark.slow
def test_kernels_of_an_installation_that_cannot_be_written_to_are_kept_for_the_user(
    kernels, tmp_path
):
    (kernels / "__pycache__").write_text("a file where the folder would be")
    home = tmp_path / "home"
    assert ask(kernels, XDG_CACHE_HOME=str(home)) == "compiling: 3 0.5 with numba"
    assert ask(kernels, XDG_CACHE_HOME=str(home)) == "3 0.5 without numba"
    assert len([*home.glob("dafre_fast/*/outer.outer.*.kernel")]) == 1


def test_it_is_known_whether_compiled_kernels_can_be_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new/folder"))
    assert jit.can_keep()
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "taken"))
    assert not jit.can_keep()


def test_a_kernel_takes_no_array_of_another_type_or_layout():
    with pytest.raises(TypeError, match="takes uint8 of 1 axes, not int64"):
        count_lines(np.zeros(3, np.int64))
    with pytest.raises(TypeError, match="not contiguous"):
        count_lines(np.zeros(6, np.uint8)[::2])
    with pytest.raises(TypeError, match="takes uint8 of 1 axes"):
        count_lines(np.zeros((2, 2), np.uint8))


def test_a_kernel_reads_and_writes_arrays_whose_rows_lie_apart():
    room = np.zeros((3, 4, 6), np.float32)
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    planes.spread(pixels, np.ones(3, np.float32), 2.0, room[:, 1:3, ::2])
    np.testing.assert_array_equal(room[:, 1:3, ::2], (pixels.transpose(2, 0, 1) - 1.0) * 2)
    assert room.sum() == room[:, 1:3, ::2].sum()


def test_more_pairs_than_there_was_room_for_are_all_found():
    alike = np.zeros((200, 4), np.uint64)
    assert len(hamming.pairs_within(alike, 0).first) == 200 * 199 // 2
