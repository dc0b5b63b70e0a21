"""warm-up knows all kernels, and compiles those that are not kept yet."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

import dafre_fast
from dafre_fast.core import jit
from dafre_fast.warm_up.run import MODULES
from tests.commands import dafre

PACKAGE = Path(dafre_fast.__file__).parent


def test_it_knows_all_modules_that_have_kernels():
    for module in MODULES:
        import_module(module)
    sources = {
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*.py")
        if path.name != "jit.py" and re.search(r"= Kernel\(|: Kernel\(", path.read_text())
    }
    assert len(sources) == len(MODULES) + 1  # and `lines`, which others import
    assert len(jit.kernels()) >= len(sources)


def test_what_is_compiled_imports_only_what_its_cache_depends_on():
    for path in PACKAGE.rglob("compiled/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dafre_fast"):
                parts = str(node.module).split(".")
                assert "kernels" in parts or "compiled" in parts, (path, node.module)


@pytest.mark.slow
def test_it_compiles_what_is_missing_once(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    first = dafre("warm-up", cwd=tmp_path)
    again = dafre("warm-up", cwd=tmp_path)
    assert first.stdout == f"{len(jit.kernels())} kernels compiled\n"
    assert again.stdout == "all kernels are compiled\n"


@pytest.mark.slow
def test_it_says_where_it_cannot_keep_them(tmp_path, monkeypatch):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "taken"))
    done = dafre("warm-up", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be kept" in done.stderr
    assert "NUMBA_CACHE_DIR" in done.stderr
