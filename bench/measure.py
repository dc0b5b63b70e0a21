"""Measure the CPU time of this process and of trees of processes, in interleaved samples."""

import ctypes
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from bench.records import Role, Sample

_PR_SET_CHILD_SUBREAPER = 36
"""The option of prctl(2) on Linux that makes this process adopt orphans."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the work of a benchmark. `take` does it once and returns its cost.

    `images` and `megapixels` are the amount of work, on `part` of the corpus (empty: all of it).
    """

    name: str
    take: Callable[[], Sample]
    images: int
    megapixels: float = 0.0
    part: str = ""
    role: Role = Role.OURS
    warm_up: Callable[[], object] | None = None
    """Work done before the first sample, to import, compile and fill caches."""
    at_most: int | None = None
    """The largest number of samples, for a contender that takes very long."""


def timed(work: Callable[[], object], clock: Callable[[], float] | None = None) -> Sample:
    """Do the work once and return its cost. `clock` gives CPU time; default `cpu_seconds`."""
    clock = clock or cpu_seconds
    began, cpu = time.perf_counter(), clock()
    work()
    return Sample(clock() - cpu, time.perf_counter() - began)


def timed_in_fresh_folder(
    work: Callable[[Path], object], parent: Path, clock: Callable[[], float] | None = None
) -> Sample:
    """Do the work once in a new folder, whose removal is not measured."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="output-") as folder:
        return timed(lambda: work(Path(folder)), clock)


def cpu_seconds() -> float:
    """Return user and system time of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def take_turns(
    contenders: Sequence[Contender], rounds: int, label: str = ""
) -> list[tuple[Contender, list[Sample]]]:
    """Return `rounds` samples of every contender, one per round.

    Every other round is in reverse order, so that other load on the machine affects all alike.
    """
    warm_up(contenders)
    taken: list[tuple[Contender, list[Sample]]] = [(contender, []) for contender in contenders]
    console = Console(stderr=True)
    for number in track(range(rounds), label, console=console, disable=not console.is_terminal):
        for contender, samples in taken[:: 1 if number % 2 == 0 else -1]:
            if contender.at_most is None or number < contender.at_most:
                samples.append(contender.take())
    return taken


def warm_up(contenders: Sequence[Contender]) -> None:
    """Run the warm-up of every contender that has one."""
    for contender in contenders:
        if contender.warm_up:
            contender.warm_up()


def run(*command: object) -> int:
    """Run a command until its last process ends, so that `cpu_seconds` counts them all.

    Returns the peak memory in bytes of its largest process. On Linux that is at least the memory of
    this process, which a new one inherits.

    Processes whose parent ends first, such as workers of a pool, would not be counted. On Linux
    they become children of this process, which waits for them. Raises RuntimeError with the last
    line of the output if the command fails.
    """
    arguments = [str(argument) for argument in command]
    signal.siginterrupt(signal.SIGINT, True)  # polars, once imported, restarts interrupted waits
    with _adopting_orphans(), tempfile.TemporaryFile() as output:
        outputs = [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        leader = os.posix_spawnp(
            arguments[0], arguments, os.environ, file_actions=outputs, setpgroup=0
        )
        try:
            status, peak = _wait_for_group(leader)
        except BaseException:  # Ctrl-C does not reach the other group of processes
            with suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
            _wait_for_group(leader)
            raise
        if status:
            output.seek(0)
            lines = output.read().decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"status {status}"
            raise RuntimeError(f"{' '.join(arguments)}: {reason}")
        return peak


def _wait_for_group(leader: int) -> tuple[int | None, int]:
    """Wait for a group of processes. Return the exit status of its leader, and the peak memory of
    the largest process in bytes.
    """
    status, peak = None, 0
    unit = 1 if sys.platform == "darwin" else 1024
    with suppress(ChildProcessError):
        while True:
            child, ended, usage = os.wait4(-leader, 0)
            peak = max(peak, usage.ru_maxrss * unit)
            if child == leader:
                status = ended
    return status, peak


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else lambda *_: None
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0)
