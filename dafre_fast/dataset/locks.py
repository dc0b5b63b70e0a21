"""Hold the run lock of a state folder, so that no run starts while its contents are read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.dataset.ledger import LOCK
from dafre_fast.dataset.parts import refuse_while_parts_work


@contextmanager
def undisturbed(state: Path, *, exclusive: bool = False) -> Iterator[None]:
    """Keep runs from starting, and, if `exclusive`, others from reading the output.

    A folder without a lock is not locked: it was copied without its state. Raises UsageError while
    a run is at work, InputError if the lock cannot be opened.
    """
    try:
        lock = os.open(state / LOCK, os.O_RDONLY)
    except FileNotFoundError:  # copied without its state
        yield
        return
    except OSError as error:
        raise InputError(f"{state / LOCK}: {error.strerror}") from error
    try:
        _take(lock, state, exclusive=exclusive)
        refuse_while_parts_work(state.parent)
        yield
    finally:
        os.close(lock)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Be the only process at work on an output; its state folder is created if it is missing.

    Raises UsageError while another process is at work, OutputError if the folder cannot be written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = os.open(state / LOCK, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise OutputError(f"{state}: {error.strerror}") from error
    try:
        _take(lock, state, exclusive=True)
        yield
    finally:
        os.close(lock)


def _take(lock: int, state: Path, *, exclusive: bool) -> None:
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"{state}: a run is at work here; wait until it has ended") from error
    except OSError as error:  # a file system without locks: no run can begin there
        if exclusive:
            raise OutputError(f"{state}: cannot be locked: {error.strerror}") from error
