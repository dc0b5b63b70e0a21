"""Commands that are stopped by signals, wherever they are: quickly, without a traceback, and
without a process that is left.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.kills import await_true, processes_of, write_originals

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]
SIGNALS = [
    ([signal.SIGINT], 130),
    ([signal.SIGINT, signal.SIGINT], 130),
    ([signal.SIGTERM], 143),
]
HANGING = (
    "import socket, threading, sys\n"
    "def hang(*_, **__): print('asked', file=sys.stderr, flush=True); threading.Event().wait()\n"
    "socket.getaddrinfo = hang\n"
    "from dafre_fast import cli\n"
    "from dafre_fast.download.__main__ import command\n"
    "if __name__ == '__main__': cli.run(command)\n"
)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Write a table and its originals into a folder."""
    write_originals(tmp_path / "original", 12)
    heads = (f"{key:04}\\{key}.jpg\t7\t0.1, 0.1, 0.9, 0.9 0.9\n" for key in range(12))
    (tmp_path / "faces.tsv").write_text("".join(heads))
    (tmp_path / "tagIds.tsv").write_text("one\t7\n")
    (tmp_path / "hanging.py").write_text(HANGING)
    return tmp_path


def stop(
    folder: Path, command: list[str], when: Callable[[], bool], numbers: list[int]
) -> tuple[int, str]:
    """Start a command in its own session, send it signals, and return status and errors."""
    with (folder / "errors").open("w") as errors:
        run = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "kernels")},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    with run:
        assert await_true(lambda: run.poll() is not None or when(), seconds=120)
        assert run.poll() is None, (folder / "errors").read_text()
        for number in numbers:
            os.killpg(run.pid, number)  # every process gets it, as from a terminal
        status = run.wait(timeout=60)
    assert await_true(lambda: not processes_of(run.pid))
    said = (folder / "errors").read_text()
    assert "Traceback" not in said
    assert "stopped; what is finished is kept" in said.splitlines()[-1]
    return status, said


def says(folder: Path, text: str) -> Callable[[], bool]:
    return lambda: text in (folder / "errors").read_text()


@pytest.mark.parametrize(("numbers", "status"), SIGNALS)
def test_while_the_sample_is_drawn(folder, numbers, status) -> None:
    drawn = folder / "out/sample/original"
    command = ["-m", "dafre_fast.full", "--output", "out"]
    assert stop(folder, command, lambda: any(drawn.glob("*/*")), numbers)[0] == status


@pytest.mark.parametrize(("numbers", "status"), SIGNALS)
@pytest.mark.parametrize(
    "command",
    [
        ["labels", "--faces", "faces.tsv", "--tag-ids", "tagIds.tsv", "--min-images", "1"],
        ["resize"],
    ],
    ids=["in this process", "in workers"],
)
def test_while_kernels_are_compiled(folder, command, numbers, status) -> None:
    command = ["-m", f"dafre_fast.{command[0]}", *command[1:]]
    assert stop(folder, command, says(folder, "compiling kernels"), numbers)[0] == status


@pytest.mark.parametrize(("numbers", "status"), SIGNALS)
@pytest.mark.parametrize("source", ["http://host/{id}.jpg", "hf:owner/name", "rsync://host/m/"])
def test_while_a_resolver_hangs(folder, source, numbers, status) -> None:
    flags = ["--faces", "faces.tsv", "--min-images", "1", "--source", source, "--output", "there"]
    assert stop(folder, ["hanging.py", *flags], says(folder, "asked"), numbers)[0] == status
