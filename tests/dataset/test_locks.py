"""Locks of the folders that runs work on."""

import errno
import fcntl
from pathlib import Path

import pytest

from dafre_fast.core.errors import OutputError, UsageError
from dafre_fast.dataset.ledger import LOCK
from dafre_fast.dataset.locks import alone, undisturbed


@pytest.fixture
def without_locks(monkeypatch) -> None:
    """A file system that knows no locks."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.fixture
def state(tmp_path) -> Path:
    (tmp_path / LOCK).touch()
    return tmp_path


def test_while_somebody_is_alone_nobody_reads(state) -> None:
    with alone(state), pytest.raises(UsageError, match="a run is at work"), undisturbed(state):
        pass


@pytest.mark.usefixtures("without_locks")
def test_where_nothing_can_be_locked_a_reader_is_let_in(state) -> None:
    with undisturbed(state):
        pass


@pytest.mark.usefixtures("without_locks")
def test_where_nothing_can_be_locked_nobody_writes(state) -> None:
    message = "cannot be locked: No locks available"
    with pytest.raises(OutputError, match=message), undisturbed(state, exclusive=True):
        pass
    with pytest.raises(OutputError, match=message), alone(state):
        pass
