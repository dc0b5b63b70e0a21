"""Reading a dataset while no run writes it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dafre_fast.engine.ledger import LOCK
from dafre_fast.model.errors import InputError, UsageError


@contextmanager
def undisturbed(state: Path, *, exclusive: bool = False) -> Iterator[None]:
    """No run begins meanwhile, and where `exclusive` no other reader. Raises UsageError while a
    run is at work there.
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


def _take(lock: int, state: Path, *, exclusive: bool) -> None:
    try:
        fcntl.flock(lock, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(f"{state}: a run is at work here; wait until it has ended") from error
