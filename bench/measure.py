"""CPU time of this process and of whole trees of processes; samples taken in turns."""

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
"""prctl(2), Linux."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Someone who does the work of a benchmark: `take` does it once and tells what it cost."""

    name: str
    take: Callable[[], Sample]
    images: int
    megapixels: float = 0.0
    part: str = ""
    role: Role = Role.OURS
    warm_up: Callable[[], object] | None = None
    """Done before without being counted: imports, compilers, caches. Needless for processes."""
    at_most: int | None = None
    """Samples, for those who take very long."""


def timed(work: Callable[[], object], clock: Callable[[], float] | None = None) -> Sample:
    """Do the work once. `clock` tells CPU time: by default `cpu_seconds`."""
    clock = clock or cpu_seconds
    began, cpu = time.perf_counter(), clock()
    work()
    return Sample(clock() - cpu, time.perf_counter() - began)


def timed_in_fresh_folder(
    work: Callable[[Path], object], parent: Path, clock: Callable[[], float] | None = None
) -> Sample:
    """Do the work once with a new folder for its outputs. To remove it costs nobody anything."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="output-") as folder:
        return timed(lambda: work(Path(folder)), clock)


def cpu_seconds() -> float:
    """User and system time of this process, and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def take_turns(
    contenders: Sequence[Contender], rounds: int, label: str = ""
) -> list[tuple[Contender, list[Sample]]]:
    """Samples of every contender: one each per round, every other round in reverse order, so that
    whatever the machine does in the meantime hits all alike.
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
    """Let those who need it do what does not count."""
    for contender in contenders:
        if contender.warm_up:
            contender.warm_up()


def run(*command: object) -> int:
    """Run a command to the end of its last process, so that `cpu_seconds` counts them all. Gives
    the most bytes of memory that one of them held at once; Linux counts what this process held
    itself, so that no less can be told.

    Children whose parent ends without waiting for them, as the workers of a pool may be, count
    nowhere: here they become ours (on Linux) and are waited for.
    Raises RuntimeError with the last line of its output where it fails.
    """
    arguments = [str(argument) for argument in command]
    signal.siginterrupt(signal.SIGINT, True)  # polars, once imported, lets waiting go on
    with _adopting_orphans(), tempfile.TemporaryFile() as output:
        outputs = [(os.POSIX_SPAWN_DUP2, output.fileno(), number) for number in (1, 2)]
        leader = os.posix_spawnp(
            arguments[0], arguments, os.environ, file_actions=outputs, setpgroup=0
        )
        try:
            status, peak = _wait_for_group(leader)
        except BaseException:  # Ctrl-C reaches this group of processes alone
            with suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
            _wait_for_group(leader)
            raise
        if status:
            output.seek(0)
            lines = output.read().decode(errors="replace").strip().splitlines()
            told = lines[-1] if lines else f"status {status}"
            raise RuntimeError(f"{' '.join(arguments)}: {told}")
        return peak


def _wait_for_group(leader: int) -> tuple[int | None, int]:
    """Exit status of the leader of a group of processes, when all of them have ended, and the
    most bytes that one of them held.
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
