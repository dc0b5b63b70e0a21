"""Commands import only what they use: the libraries that take long are left to who needs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import runpy, sys
try:
    runpy.run_module(f"dafre_fast.{sys.argv[0]}.__main__", run_name="__main__")
except SystemExit as end:
    print(end.code or 0, *sorted({name.partition(".")[0] for name in sys.modules}))
"""
COMPILERS = {"numba"}
"""Kernels are loaded without numba, once they are compiled."""
DECODERS = {"cv2", "PIL", "pyvips"}
SCREENS = {"jinja2", "matplotlib", "prometheus_client", "rich", "wordcloud"}
NETWORK = {"aiohttp", "aiolimiter", "asyncio", "ssl"}
TABLES = {"numpy", "polars"}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "original").mkdir()
    Image.new("RGB", (300, 200)).save(tmp_path / "original/1.png")
    (tmp_path / "faces.tsv").write_text("0001\\1.jpg\t7\t0.1, 0.1, 0.5, 0.5 0.9\n")
    (tmp_path / "tagIds.tsv").write_text("seven\t7\n")
    return tmp_path


def imported(folder: Path, *command: object) -> set[str]:
    """Run a command twice, so that its kernels are compiled; return what the second imported."""
    script = f"import sys; sys.argv = {[*map(str, command)]}\n{RUN}"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    status, *names = done.stdout.splitlines()[-1].split()
    assert status == "0", done.stderr
    return set(names)


def test_labels_are_written_with_tables_alone(folder) -> None:
    flags = ("--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", 1)
    names = imported(folder, "labels", *flags)
    assert not names & (COMPILERS | DECODERS | SCREENS | NETWORK)
    assert names >= TABLES


def test_the_parent_of_workers_leaves_the_decoders_to_them(folder) -> None:
    names = imported(folder, "resize", "--workers", 1)
    assert not names & (COMPILERS | DECODERS | SCREENS | {"aiohttp"})


@pytest.mark.parametrize("command", ["labels", "tags", "resize", "train", "full", "warm_up"])
def test_the_help_of_a_command_needs_none_of_them(folder, command) -> None:
    names = imported(folder, command, "--help")
    assert not names & (COMPILERS | DECODERS | SCREENS | NETWORK | TABLES | {"torch"})
