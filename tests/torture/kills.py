"""`kill -9` at random moments: of the run, of its workers, of both, and the same command again.

Linux alone: processes are found in /proc.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import polars as pl
from PIL import Image

from dafre_fast.core.layout import STATE
from dafre_fast.dataset.ledger import NAME
from tests.commands import tree

_IMAGES = 400
_PATIENCE_SECONDS = 180.0


class Victim(Enum):
    RUN = "run"
    WORKER = "worker"
    BOTH = "both"


class Survival(NamedTuple):
    """Numbers of a run that was killed, and its differences from an undisturbed run."""

    images: int
    runs: int
    killed: Counter[Victim]
    faults: tuple[str, ...]


def survive_kills(folder: Path, kills: int, seed: int) -> Survival:
    """Make full images of small originals while processes are killed, until all are made; compare
    tree, manifest, summary and ledger with those of a run that nothing happened to.
    """
    chance = random.Random(seed)
    write_originals(folder / "original", _IMAGES)
    killed, runs = Counter[Victim](), 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as sockets:
        Path(folder, "undisturbed.json").write_text(_finish(_start(folder, "undisturbed", sockets)))
        sessions = []
        while killed.total() < kills:
            run = _start(folder, "killed", sockets)
            runs += 1
            sessions.append(run.pid)
            for victim in _kill(run, folder / "killed", chance):
                killed[victim] += 1
                if killed.total() == kills:
                    break
        if run.poll() is None:
            _finish(run)
        Path(folder, "killed.json").write_text(_finish(_start(folder, "killed", sockets)))
        faults = tuple(_faults(folder, sessions))
    return Survival(_IMAGES, runs + 1, killed, faults)


def write_originals(folder: Path, count: int) -> None:
    """PNGs of some 40 pixels in a tree, no two alike."""
    for number in range(count):
        path = folder / f"{number % 10:04}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30 + number % 50, 40), (number % 256, 80, 160)).save(path)


def processes_of(session: int) -> dict[int, int]:
    """Parent of each process of a session that is alive."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent, _, its_session = status.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found[int(status.parent.name)] = int(parent)
    return found


def workers_of(run: int) -> list[int]:
    """Processes of a run whose parent is the run's server."""
    processes = processes_of(run)
    return [pid for pid, parent in processes.items() if parent != run and parent in processes]


def await_true(true: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> bool:
    """Look every few milliseconds, for so long at most."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.003)
    return bool(true())


def _start(folder: Path, output: str, sockets: str) -> subprocess.Popen[str]:
    flags = ["--workers", "2", "--output", output, "--manifest", f"{output}.parquet", "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "dafre_fast.resize", *flags],
        cwd=folder,
        env=os.environ | {"TMPDIR": sockets},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _finish(run: subprocess.Popen[str]) -> str:
    summary, _ = run.communicate(timeout=_PATIENCE_SECONDS)
    return summary


def _kill(run: subprocess.Popen[str], output: Path, chance: random.Random) -> Iterator[Victim]:
    """Kill at random until the run is killed or done."""
    ledger = output / STATE / NAME
    while run.poll() is None:
        _await_moment(run, ledger, chance)
        workers = workers_of(run.pid)
        victims = [Victim.RUN, Victim.BOTH, *[Victim.WORKER] * 4] if workers else [Victim.RUN]
        victim = chance.choice(victims)
        hit = [] if victim is Victim.RUN else [chance.choice(workers)]
        hit += [] if victim is Victim.WORKER else [run.pid]
        if run.poll() is not None:
            return
        for process in hit:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if victim is not Victim.WORKER:
            run.communicate()
        yield victim


def _await_moment(run: subprocess.Popen[str], ledger: Path, chance: random.Random) -> None:
    """A few images later, or somewhere in the second that a start takes."""
    target = _lines(ledger) + chance.randrange(1, 10)
    await_true(
        lambda: run.poll() is not None or _lines(ledger) >= target, seconds=chance.uniform(0.2, 6)
    )


def _lines(ledger: Path) -> int:
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def _faults(folder: Path, sessions: list[int]) -> Iterator[str]:
    killed, undisturbed = folder / "killed", folder / "undisturbed"
    if not await_true(lambda: not any(map(processes_of, sessions))):
        yield "processes are left"
    if tree(killed) != tree(undisturbed):
        yield "the trees differ"
    if [*killed.rglob(".*.part")]:
        yield "half-written files are left"
    one, other = (pl.read_parquet(path.with_suffix(".parquet")) for path in (killed, undisturbed))
    if not one.equals(other):
        yield "the manifests differ"
    one_summary, other_summary = (
        json.loads(path.with_suffix(".json").read_text()) for path in (killed, undisturbed)
    )
    if one_summary | {"work": None} != other_summary | {"work": None}:
        yield "the summaries differ"
    lines = [json.loads(line) for line in (killed / STATE / NAME).read_text().splitlines()]
    made = Counter(line["key"] for line in lines if "reason" not in line)
    if set(made.values()) != {1} or made.total() != _IMAGES:
        yield "images were made twice, or not at all"
