"""Fixtures and settings for all tests."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dafre_fast.core.jit import kernels
from dafre_fast.dataset.object_store import ObjectStore
from dafre_fast.warm_up.run import MODULES
from tests.sources.faulty_store import Faults
from tests.sources.stores import faulty_s3, new_store, use

# Property tests draw the same cases every time; `--hypothesis-profile random` draws others, and
# twice as many.
# A busy machine fails no test.
AT_EASE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", max_examples=50, derandomize=True, database=None, **AT_EASE)
settings.register_profile("random", print_blob=True, **AT_EASE)
settings.load_profile("same")

# A shell's background jobs ignore Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config) -> None:
    """Compile each kernel in one process alone, where pytest-xdist runs several: each begins with
    another module, and goes on to the next when its kernels are in the cache.
    """
    if not hasattr(config, "workerinput"):
        return
    first = int(config.workerinput["workerid"].removeprefix("gw")) % len(MODULES)
    for name in MODULES[first:] + MODULES[:first]:
        module = import_module(name)
        with Path(module.__file__).open() as lock:
            flock(lock, LOCK_EX)
            for kernel in kernels():
                if not kernel.is_kept:
                    kernel.load()


@pytest.fixture(autouse=True, scope="module")
def server_of_workers() -> Iterator[None]:
    """End the server that workers are forked from after each file: it has imported only what the
    run needed that started it, and the workers of others would do the rest one by one.
    """
    yield
    if forkserver := sys.modules.get("dafre_fast.engine.executors.forkserver"):
        forkserver.kill()


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


@pytest.fixture(scope="module")
def proxy() -> Iterator[Faults]:
    """Serve an object store behind a proxy with faults."""
    with faulty_s3() as proxy:
        yield proxy


@pytest.fixture
def environment(proxy, monkeypatch) -> None:
    """Let this process and its children find the object store."""
    use(proxy, monkeypatch)


@pytest.fixture
def store(proxy, environment) -> ObjectStore:  # noqa: ARG001  (it has the credentials)
    """Make a bucket."""
    return new_store(proxy)
