"""Processes of this machine, as /proc tells of them."""

from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def state(process: int) -> list[str]:
    """Fields of /proc/PID/stat after the name; empty if there is no such process."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def runs(process: int) -> bool:
    """One that has ended may still wait to be told of."""
    return state(process)[:1] not in ([], ["Z"])


def children(parent: int) -> list[int]:
    """Processes that one has started, and that still run."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [number for number in numbers if state(number)[1:2] == [str(parent)] and runs(number)]


def descendants(ancestor: int) -> list[int]:
    """Processes that come of one, whatever their session."""
    numbers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    parents = {number: int(told[1]) for number in numbers if (told := state(number))}
    found = [ancestor]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]
