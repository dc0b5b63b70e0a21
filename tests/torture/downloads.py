"""`download` for long: killed at random moments, and over very many originals with faults.

Linux alone: what a process holds is found in /proc.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dafre_fast.core.layout import STATE, bucket
from dafre_fast.dataset.ledger import NAME
from tests.commands import tree
from tests.torture.kills import await_true
from tests.torture.serving import Fault, Server, extension, original, serving

_ONE_FAULT_OF = 100
MOST_DESCRIPTORS = 1024
MOST_FETCHED_TWICE = 0.05
MOST_GROWTH = 1_000_000
"""Bytes per 10,000 originals."""


class Survival(NamedTuple):
    """Numbers of a download that was killed, and its differences from an undisturbed run."""

    originals: int
    kills: int
    fetched_twice: int
    unrecorded: int
    """Originals that are there without a line in the ledger: killed between the two."""
    faults: tuple[str, ...]


def survive_kills(folder: Path, originals: int, kills: int, seed: int) -> Survival:
    """Download while the command is killed, until all is there; compare with a run that nothing
    happened to.
    """
    chance = random.Random(seed)
    write_faces(folder / "faces.tsv", originals)
    with serving(latency_seconds=0.005) as server:
        _finish(_start(folder, "undisturbed", server))
        server.served.clear()
        killed = 0
        while killed < kills:
            run = _start(folder, "killed", server)
            _await_moment(run, folder / "killed", chance, max(7 * originals // (5 * kills), 2))
            if run.poll() is not None:  # all is there before the last kill
                run.communicate()
                break
            run.kill()
            run.communicate()
            killed += 1
        summary = _finish(_start(folder, "killed", server))
        twice = sum(times - 1 for times in server.served.values())
    lines = _ledger(folder / "killed")
    faults = tuple(_faults(folder, originals, lines, summary, twice))
    return Survival(originals, killed, twice, originals - len({*lines}), faults)


def _faults(
    folder: Path, originals: int, lines: list[str], summary: dict[str, object], twice: int
) -> Iterator[str]:
    found = tree(folder / "killed")
    if found != tree(folder / "undisturbed"):
        yield "the trees differ"
    right = {f"{bucket(id)}/{id}.{extension(id)}": original(id) for id in range(originals)}
    if found != right:
        wrong = sum(found.get(name) != data for name, data in right.items())
        yield f"{wrong} originals are not what the server has, and {len(found)} files are there"
    if [*(folder / "killed").rglob(".*.part")]:
        yield "half-written files are left"
    if len({*lines}) != len(lines):
        yield "the ledger names originals twice"
    if (summary["images"], summary["success"], summary["refused"]) != (originals, originals, {}):
        yield f"the summary says {summary}"
    if twice > MOST_FETCHED_TWICE * originals:
        yield f"{twice} were fetched twice"


class Sample(NamedTuple):
    """A measurement of a run after so many originals."""

    originals: int
    resident_bytes: int
    descriptors: int
    cpu_seconds: float


class Endurance(NamedTuple):
    """A long run: how it went, and what is not as it should be."""

    originals: int
    seconds: float
    samples: list[Sample]
    failed: Counter[Fault]
    faults: tuple[str, ...]

    @property
    def growth(self) -> float:
        """Growth of the memory in bytes per 10,000 originals, after the first 10,000 (or the first
        half).

        For fewer than 20,000 originals, the whole growth after the first half.
        """
        first = next(
            one for one in self.samples if one.originals >= min(10_000, self.originals / 2)
        )
        last = self.samples[-2]  # at the last one, the run may already read the ledger
        more = last.resident_bytes - first.resident_bytes
        return more * 10_000 / max(last.originals - first.originals, 10_000)

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds per 10,000 originals, between the first sample and the last."""
        first, last = self.samples[0], self.samples[-1]
        originals = max(last.originals - first.originals, 1)
        return (last.cpu_seconds - first.cpu_seconds) * 10_000 / originals


def endure(folder: Path, originals: int, *flags: str) -> Endurance:
    """Download so many tiny originals, of which one in a hundred has a fault of four kinds."""
    write_faces(folder / "faces.tsv", originals)
    with serving(_fault) as server:
        began = time.monotonic()
        run = _start(folder, "long", server, *flags, address=f"{server.address}/{{id}}")
        samples = [*_samples(run, server)]
        summary = _finish(run)
        seconds = time.monotonic() - began
        endurance = Endurance(originals, seconds, samples, server.failed, ())
    gone = sum(_fault(id) is Fault.GONE for id in range(originals))
    return endurance._replace(faults=tuple(_not_endured(folder, endurance, summary, gone)))


def _fault(id: int) -> Fault | None:
    kinds = [*Fault]
    turn, rest = divmod(id, _ONE_FAULT_OF)
    return kinds[turn % len(kinds)] if rest == 1 else None


def _not_endured(
    folder: Path, endurance: Endurance, summary: dict[str, object], gone: int
) -> Iterator[str]:
    originals = endurance.originals
    rows = originals, originals - gone, {"not_found": gone}
    if (summary["images"], summary["success"], summary["refused"]) != rows:
        yield f"the summary says {summary}"
    lines = _ledger(folder / "long")
    if len(lines) != originals or len({*lines}) != originals:
        yield f"the ledger has {len(lines)} lines of {len({*lines})} originals"
    for id in range(originals):
        path = folder / "long" / bucket(id) / f"{id}.jpg"
        if (path.read_bytes() if path.exists() else None) != (
            None if _fault(id) is Fault.GONE else original(id)
        ):
            yield f"{path} is not what the server has"
            break
    most = max(sample.descriptors for sample in endurance.samples)
    if most >= MOST_DESCRIPTORS:
        yield f"{most} descriptors"
    if endurance.growth > MOST_GROWTH:
        yield f"{endurance.growth / 1e6:.1f} MB more per 10,000 originals"


def _samples(run: subprocess.Popen[str], server: Server) -> Iterator[Sample]:
    """Sample a run about twenty times a second, while originals come."""
    process, before = Path(f"/proc/{run.pid}"), 0
    while run.poll() is None:
        time.sleep(0.05)
        if (count := len(server.served)) == before:
            continue
        before = count
        with suppress(OSError):
            resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            descriptors = len([*(process / "fd").iterdir()])
            user, system = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
            cpu = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
            if resident:  # 0 if the process is about to end
                yield Sample(count, resident, descriptors, cpu)


def write_faces(path: Path, originals: int) -> None:
    """Write a row for each original; all are of one class."""
    with path.open("w") as file:
        for id in range(originals):
            file.write(f"{bucket(id)}\\{id}.jpg\t0\t0.3, 0.1, 0.7, 0.5 0.95\n")


def _start(
    folder: Path, output: str, server: Server, *flags: str, address: str | None = None
) -> subprocess.Popen[str]:
    source = address or f"{server.address}/{{id}}.{{ext}}"
    usual = ("--faces", "faces.tsv", "--source", source, "--output", output, "--json")
    return subprocess.Popen(
        [sys.executable, "-m", "dafre_fast.download", *usual, *flags],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _finish(run: subprocess.Popen[str]) -> dict[str, object]:
    summary, _ = run.communicate()
    found = json.loads(summary) if summary else {}
    return {"images": None, "success": None, "refused": None} | found


def _await_moment(
    run: subprocess.Popen[str], output: Path, chance: random.Random, most: int
) -> None:
    """Wait for a few more originals, or for a random time of 0.2 to 6 seconds."""
    ledger = output / STATE / NAME
    target = _lines(ledger) + chance.randrange(1, most)
    await_true(
        lambda: run.poll() is not None or _lines(ledger) >= target, seconds=chance.uniform(0.2, 6)
    )


def _lines(ledger: Path) -> int:
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def _ledger(output: Path) -> list[str]:
    return [json.loads(line)["key"] for line in (output / STATE / NAME).read_text().splitlines()]
