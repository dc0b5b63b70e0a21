"""Nobody else at work in the folder of a state meanwhile: by the lock that every run takes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dafre_fast.core.errors import InputError, OutputError, UsageError
from dafre_fast.dataset.ledger import LOCK


@contextmanager
def undisturbed(state: Path, *, exclusive: bool = False) -> Iterator[None]:
    """No run begins meanwhile, and where `exclusive` nobody else who looks at its output.

    Raises UsageError while one is at work.
    """
    try:
        lock = os.open(state / LOCK, os.O_RDONLY)
    except FileNotFoundError:  # made elsewhere, and copied without its state
        yield
        return
    except OSError as error:
        raise InputError(f"{state / LOCK}: {error.strerror}") from error
    try:
        _take(lock, state, exclusive=exclusive)
        yield
    finally:
        os.close(lock)


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """The only one at work on an output, whose state is made where it is not there.

    Raises UsageError while another is, OutputError where that cannot be written.
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
    except OSError as error:
        raise UsageError(f"{state}: a run is at work here; wait until it has ended") from error
