"""What tests of several folders stand on."""

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import dafre
from hypothesis import settings

settings.register_profile("busy", deadline=None)  # no test fails because a machine is busy
settings.load_profile("busy")


@pytest.fixture
def short_tmpdir() -> Iterator[str]:
    """For what a killed process leaves behind; a socket's path must be short."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield folder


@dataclass(frozen=True)
class Disk:
    """A file system of its own, in memory."""

    folder: Path

    def remount(self, options: str) -> None:
        """`size=1m`, or `ro`."""
        command = ["mount", "-o", f"remount,{options}", self.folder]
        subprocess.run(command, check=True)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Disk]:
    """One with room for eight blocks."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "none", folder]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting is not permitted here")
    yield Disk(folder)
    subprocess.run(["umount", folder], check=True)


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """`full` without inputs, as a newcomer runs it."""
    folder = tmp_path_factory.mktemp("sample")
    return folder / "ds", dafre("full", "--output", "ds", "--json", cwd=folder)
