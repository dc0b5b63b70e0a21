"""How outcomes get into the ledger from the processes that bring them about.

A worker on the machine of its run appends to the ledger itself, as `LocalRecorder` does. A worker
on another machine has no descriptor of it: its recorder would append to a part file of its own, on
storage that both can reach, and the run would add the parts to the ledger. That needs no more than
concatenation, since the last line of a key counts. Who runs such workers gives them such a recorder
in place of `Ledger.recorder`; nothing else that a worker does knows the difference.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, Protocol

from msgspec.structs import replace

from dafre_fast.core.errors import OutputError
from dafre_fast.core.records import Outcome
from dafre_fast.dataset.ledger_lines import encode


class Recorder(Protocol):
    """Records outcomes. It is sent to workers, so it can be pickled while a worker is started."""

    def append(self, *entries: Outcome) -> None:
        """Record outcomes, with the time of now. When this returns, they survive the death of the
        worker. Raises OutputError if they cannot be recorded.
        """


@dataclass(frozen=True, slots=True)
class LocalRecorder:
    """A recorder of workers on this machine: they inherit the open ledger and its lock.

    `file` and `lock` are descriptors; whoever made the recorder keeps them open meanwhile.
    """

    path: Path
    file: int
    lock: int

    def __reduce__(self) -> tuple[Callable[..., "LocalRecorder"], tuple[object, ...]]:
        return _inherited, (self.path, DupFd(self.file), DupFd(self.lock))

    def append(self, *entries: Outcome) -> None:
        append_lines(self.file, self.path, entries)


def _inherited(path: Path, file: Any, lock: Any) -> LocalRecorder:
    return LocalRecorder(path, file.detach(), lock.detach())


def append_lines(file: int, path: Path, entries: Iterable[Outcome]) -> None:
    """Append a line for each entry, with the time of now, in one write to a descriptor opened for
    appending. Raises OutputError, with `path`, also if the disk is full.
    """
    at = round(time.time(), 3)
    lines = b"".join(encode(replace(entry, at=at)) + b"\n" for entry in entries)
    try:
        written = os.write(file, lines)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from error
    if written < len(lines):
        raise OutputError(f"{path}: No space left on device")
