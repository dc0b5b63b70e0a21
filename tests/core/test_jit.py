"""The caches of kernels, in a small package of their own that has the real `core/jit.py`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dafre_fast.core import compiling, jit

INNER = """
from numba import njit

@njit
def inner():
    return {number}
"""
OUTER = """
from dafre_fast.core.jit import kernel
from dafre_fast.tables.kernels.inner import inner

@kernel("int64()")
def outer():
    return inner()
"""
ASK = """
from dafre_fast.core.compiling import reported_to
with reported_to(lambda: print("compiling:", end=" ")):
    from dafre_fast.tables.kernels.outer import outer
print(outer(), sum(outer.stats.cache_hits.values()))
"""


@pytest.fixture
def kernels(tmp_path):
    folder = tmp_path / "dafre_fast/tables/kernels"
    folder.mkdir(parents=True)
    (tmp_path / "dafre_fast/__init__.py").touch()
    (tmp_path / "dafre_fast/core").mkdir()
    for module in (jit, compiling):
        shutil.copy(module.__file__, tmp_path / "dafre_fast/core")
    (folder / "inner.py").write_text(INNER.format(number=1))
    (folder / "outer.py").write_text(OUTER)
    return folder


def ask(kernels: Path) -> str:
    """Return the kernel's answer in a new process, and how often it came from the cache;
    before them, whether it was said that it is compiled.
    """
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=kernels.parents[2],
        env=os.environ | {"PYTHONPATH": "", "NUMBA_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


@pytest.mark.slow
def test_a_kernel_is_compiled_and_so_reported_once_and_when_one_that_it_inlines_changes(kernels):
    assert ask(kernels) == "compiling: 1 0"
    assert ask(kernels) == "1 1"
    (kernels / "inner.py").write_text(INNER.format(number=2))
    assert ask(kernels) == "compiling: 2 0"
    assert ask(kernels) == "2 1"
