"""Measure the use of a command and the processes that it starts, from /proc (Linux alone)."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import msgspec

_LOOK_SECONDS = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Use(NamedTuple):
    """CPU time of a process without its children, in seconds, and its memory in bytes."""

    cpu_seconds: float
    memory: int


class Machine(NamedTuple):
    """CPU time of all cores, in seconds since the start of the machine."""

    busy: float
    waiting_for_disk: float
    all: float


class Watched:
    """The use of a command, looked at ten times a second.

    `memory` are pairs of seconds and bytes of the command itself. `cores` and `disk` are the shares
    of all cores of the machine that were busy, by whomever, and that waited for the disk.
    """

    def __init__(self) -> None:
        self.cpu_seconds: dict[int, float] = {}
        """A number per process: the command itself, and its engines."""
        self.memory: list[tuple[float, int]] = []
        self.cores = self.disk = 0.0


@contextmanager
def watching(process: int) -> Iterator[Watched]:
    """Look at a process and the engines that it starts until the end of the context."""
    watched, over = Watched(), Event()
    before = _machine()

    def look() -> None:
        while not over.wait(_LOOK_SECONDS):
            _look(process, watched)

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        over.set()
        thread.join()
        busy, disk, all_ = (now - then for now, then in zip(_machine(), before, strict=True))
        watched.cores, watched.disk = busy / (all_ or 1.0), disk / (all_ or 1.0)


def carry_out(name: str, *flags: object) -> tuple[dict[str, Any], Watched, int]:
    """Run a command of dafre_fast that prints JSON; return its summary, what it used, and its
    process. Raises RuntimeError with the last line of its output if it fails.
    """
    command = [sys.executable, "-m", f"dafre_fast.{name}", *map(str, flags)]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(command, stdout=pipe, stderr=pipe) as process,
        watching(process.pid) as watched,
    ):
        told, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{name}: {said.decode(errors='replace').strip().splitlines()[-1]}")
    return msgspec.json.decode(told), watched, process.pid


def use_of(process: int) -> Use | None:
    """Return what a process has used so far, None if there is none or no /proc."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) / _TICKS
        return Use(cpu, int(fields[21]) * _PAGE)
    return None


def children(process: int) -> list[int]:
    """Return the processes that one has started, and that were not waited for."""
    with suppress(OSError):
        tasks = Path(f"/proc/{process}/task").iterdir()
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return []


def _look(process: int, watched: Watched) -> None:
    if found := use_of(process):
        watched.cpu_seconds[process] = found.cpu_seconds
        watched.memory.append((time.monotonic(), found.memory))
    for engine in filter(_is_engine, children(process)):
        if found := use_of(engine):
            watched.cpu_seconds[engine] = found.cpu_seconds


def _is_engine(process: int) -> bool:
    with suppress(OSError):
        return b"dafre_fast.engine.engine" in Path(f"/proc/{process}/cmdline").read_bytes()
    return False


def _machine() -> Machine:
    with suppress(OSError):
        line = Path("/proc/stat").read_text().splitlines()[0]
        user, nice, system, idle, disk, *others = (int(one) / _TICKS for one in line.split()[1:9])
        busy = user + nice + system + sum(others)
        return Machine(busy, disk, busy + idle + disk)
    return Machine(0.0, 0.0, 0.0)
