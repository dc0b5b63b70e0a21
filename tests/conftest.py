"""Fixtures and settings for all tests."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.commands import dafre

# Property tests draw the same cases every time; `--hypothesis-profile random` draws others.
# A busy machine fails no test.
AT_EASE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, database=None, **AT_EASE)
settings.register_profile("random", print_blob=True, **AT_EASE)
settings.load_profile("same")

# A shell's background jobs ignore Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items) -> None:
    """Mark tests that read the sample as slow, for it takes most of a minute to make. Keep them,
    and all tests of a file, in one process where pytest-xdist runs several: they share fixtures.
    """
    parallel = config.pluginmanager.hasplugin("xdist")
    for item in items:
        reads_sample = "sample" in item.fixturenames
        if reads_sample:
            item.add_marker(pytest.mark.slow)
        if parallel:
            item.add_marker(pytest.mark.xdist_group("sample" if reads_sample else str(item.path)))


@pytest.fixture
def short_tmpdir() -> Iterator[str]:
    """A temporary folder with a short path, as a socket needs. Errors of its removal are ignored: a
    killed process may have left files in it.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.fixture
def public(short_tmpdir) -> Path:
    """A folder that every user of this machine may enter."""
    folder = Path(short_tmpdir)
    folder.chmod(0o755)
    return folder


@dataclass(frozen=True)
class Disk:
    """A file system of its own, in memory."""

    folder: Path

    def remount(self, options: str) -> None:
        """Mount the file system again with `options`: `size=1m`, or `ro`."""
        command = ["mount", "-o", f"remount,{options}", self.folder]
        subprocess.run(command, check=True)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Disk]:
    """A file system with room for eight blocks. Skips the test where mounting is not permitted."""
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
