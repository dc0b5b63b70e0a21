"""A library that is missing or cannot be loaded: one line says which, and what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dafre_fast.cli import missing
from dafre_fast.core.errors import Refusal
from dafre_fast.core.records import Wanted
from dafre_fast.core.refusing import refusing
from dafre_fast.core.settings.images import Hashes, Recipe
from dafre_fast.engine import work
from dafre_fast.pixels import making

ROOT = Path(__file__).resolve().parents[2]
NO_LIBVIPS = "cannot load library 'libvips.so.42'"
LOST = {
    "pyvips": f'raise OSError("{NO_LIBVIPS}")',
    "numba": 'raise ModuleNotFoundError("No module named numba", name="numba")',
    "polars": 'raise ImportError("libgcc_s.so.1: no such file", name="polars")',
}
"""Modules in place of libraries, which fail as these do where they are missing."""


def without(library: str, folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment in which importing a library fails."""
    (folder / f"lost/{library}.py").write_text(LOST[library])
    environment = {
        "PYTHONPATH": os.pathsep.join([str(folder / "lost"), str(ROOT)]),
        "NUMBA_CACHE_DIR": str(folder / "kernels") if library == "numba" else "",
    }
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "original").mkdir()
    (tmp_path / "lost").mkdir()
    Image.new("RGB", (300, 200)).save(tmp_path / "original/1.png")
    (tmp_path / "faces.tsv").write_text("0001\\1.jpg\t7\t0.1, 0.1, 0.5, 0.5 0.9\n")
    (tmp_path / "tagIds.tsv").write_text("seven\t7\n")
    return tmp_path


LABELS = ("dafre_fast.labels", "--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", 1)
RESIZE = ("dafre_fast.resize", "--workers", 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "command", "line"),
    [
        ("pyvips", RESIZE, f"pyvips cannot be loaded: {NO_LIBVIPS}"),
        ("numba", LABELS, "numba cannot be loaded: No module named numba"),
        ("numba", RESIZE, "numba cannot be loaded: No module named numba"),
        ("polars", LABELS, "polars cannot be loaded: libgcc_s.so.1"),
    ],
)
def test_a_command_that_needs_it_ends_with_one_line_and_records_no_refusal(
    folder, library, command, line
) -> None:
    done = without(library, folder, *command)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr.splitlines()[-1]
    assert line in done.stderr.splitlines()[-1]
    assert "pip install --force-reinstall" in done.stderr.splitlines()[-1]
    assert not [*folder.rglob("outcomes*")]


@pytest.mark.slow
def test_a_command_that_does_not_need_it_works(folder) -> None:
    assert without("pyvips", folder, *LABELS).returncode == 0


@pytest.mark.parametrize(
    ("module", "package"),
    [
        ("cv2", "opencv-python-headless"),
        ("PIL._imaging", "pillow"),
        ("pyvips", "'pyvips[binary]'"),
        ("llvmlite.binding", "llvmlite"),
    ],
)
def test_the_line_names_the_package_by_which_it_is_installed(module, package) -> None:
    line = missing(ImportError("libGL.so.1: cannot open shared object file", name=module))
    assert "libGL.so.1" in line
    assert line.endswith(f"pip install --force-reinstall {package}")


@pytest.mark.parametrize("name", ["dafre_fast.core", None])
def test_a_fault_of_this_package_is_no_missing_library(name) -> None:
    with pytest.raises(ImportError):
        missing(ImportError("cannot import name", name=name))


@pytest.mark.parametrize("name", ["numba", "cv2", "PIL", "PIL._imaging"])
def test_a_missing_library_is_no_fault_of_an_image(name) -> None:
    with pytest.raises(ImportError), refusing():
        raise ImportError("cannot be loaded", name=name)


@pytest.mark.parametrize("name", ["PIL._webp", None])
def test_a_part_that_one_format_needs_costs_images_of_that_format_alone(name) -> None:
    with pytest.raises(Refusal, match="decoder_failed"), refusing():
        raise ImportError("cannot be loaded", name=name)


def test_a_command_does_not_record_a_missing_library_as_a_refusal(tmp_path, monkeypatch) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "1.png")

    def fail(*_: object, **__: object) -> None:
        raise ImportError("No module named numba", name="numba")

    monkeypatch.setattr(making, "make_images", fail)
    wanted = Wanted(key="1", original=str(tmp_path / "1.png"), outputs=())
    with pytest.raises(ImportError):
        work.make(Recipe(), Hashes("a", "b"), wanted)
