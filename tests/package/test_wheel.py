"""The wheel as users get it: built from the source distribution, in an environment of its own."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

OLDEST, NEWEST = "3.11", "3.13"
"""Releases of Python that the wheel is tried with."""

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "dafre_fast"
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
ELSEWHERE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with a source distribution of this tree and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def names_in_wheel(built: Path) -> set[str]:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        return {*wheel.namelist()}


def test_the_wheel_has_every_file_of_the_package_but_what_only_tests_need(built) -> None:
    here = {
        path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    only_tests = {path for path in here if re.search("testing|fault", str(path.relative_to(ROOT)))}
    assert only_tests
    names = {name for name in names_in_wheel(built) if name.startswith("dafre_fast/")}
    assert names == {str(path.relative_to(ROOT)) for path in here - only_tests}
    assert {Path(name).suffix for name in names} >= {".py", ".jinja", ".css", ".js", ".txt"}
    assert "dafre_fast/py.typed" in names


def test_the_wheel_has_the_licence_and_nothing_beside_the_package(built) -> None:
    rest = {name for name in names_in_wheel(built) if not name.startswith("dafre_fast/")}
    assert {name.partition("/")[2] for name in rest} == {
        "METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip


def test_every_link_of_the_description_works_elsewhere(built) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        description = wheel.read(name).decode().partition("\n\n")[2]
    assert description.startswith("# dafre_fast")
    links = re.findall(r"\]\(([^)]+)\)", description)
    assert len(links) > 10
    assert all(link.startswith("https://") for link in links)
    assert any("/HEAD/docs/assets/" in link for link in links)


def test_the_source_distribution_has_what_its_tests_need(built) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"LICENSE", "README.md", "Makefile", "constraints.txt", "tests/conftest.py"}
    assert any(re.search(r"dafre_fast/.*fault", name) for name in names)


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and an empty folder to work in."""

    environment: Path
    folder: Path

    def run(self, command: str, *arguments: str) -> str:
        """Return what a command of the environment prints. It must succeed."""
        done = subprocess.run(
            [self.environment / "bin" / command, *arguments],
            cwd=self.folder,
            env=ELSEWHERE,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def interpreter(version: str) -> str:
    """A Python of this version, from pyenv or the search path. Skips the test if there is none."""
    known = [*sorted(PYENV.glob(f"{version}.*/bin/python"), reverse=True)]
    for candidate in (*known, shutil.which(f"python{version}")):
        if candidate:
            says = subprocess.run([candidate, "--version"], capture_output=True, check=False)
            if says.stdout.startswith(f"Python {version}.".encode()):
                return str(candidate)
    pytest.skip(f"Python {version} is not here")


@pytest.fixture(scope="module", params=[OLDEST, NEWEST])
def installed(request, built) -> Iterator[Installed]:
    python = interpreter(request.param)
    (wheel,) = built.glob("*.whl")
    with tempfile.TemporaryDirectory() as folder:  # gigabytes, gone at once
        environment, empty = Path(folder, "environment"), Path(folder, "empty")
        empty.mkdir()
        subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True)
        pip = [sys.executable, "-m", "pip", "--python", environment / "bin/python"]
        flags = ["install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel]
        subprocess.run([*pip, *flags], check=True, env=ELSEWHERE)
        yield Installed(environment, empty)


def test_the_package_is_that_of_the_environment_and_knows_its_commands(installed) -> None:
    file = installed.run("python", "-c", "import dafre_fast; print(dafre_fast.__file__)")
    assert file.startswith(str(installed.environment))
    assert {"full", "resize", "gallery"} <= {*installed.run("dafre-fast", "--help").split()}


def test_a_picture_is_resized(installed) -> None:
    (installed.folder / "pictures").mkdir()
    Image.new("RGB", (300, 400), (200, 80, 160)).save(installed.folder / "pictures/a.png")
    installed.run("dafre-fast", "resize", "--input", "pictures", "--output", "small")
    with Image.open(installed.folder / "small/a.jpg") as image:
        assert image.size == (256, 341)


@pytest.mark.parametrize("installed", [NEWEST], indirect=True)
def test_the_sample_becomes_a_dataset_with_a_report(installed) -> None:
    installed.run("dafre-fast", "full")
    dataset = installed.folder / "dataset"
    assert pl.read_parquet(dataset / "manifest.parquet").height == 200
    assert "<h1>dataset</h1>" in (dataset / "report/index.html").read_text()
