"""Stop a command: by Ctrl-C, by SIGTERM, and by the end of its terminal (SIGHUP)."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 2.0
"""Signals that follow the first so soon change nothing: whoever presses Ctrl-C twice must not break
off what is being cleaned up. One that comes later ends the process at once."""


class Stopped(KeyboardInterrupt):
    """The command is asked to stop by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number
        """Exit status, as in shells."""


def raise_stopped() -> None:
    """Have the main thread raise `Stopped` at the first signal, for the rest of this process. What
    is ignored (nohup), or answered by somebody else, is left as it is.
    """
    asked = _Asked()
    for number in SIGNALS:
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
            signal.signal(number, asked)


class _Asked:
    def __init__(self) -> None:
        self._at: float | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._at is None:
            self._at = now
            raise Stopped(number)
        if now - self._at > PATIENCE_SECONDS:
            os._exit(128 + number)


@contextmanager
def left_to_parent() -> Iterator[None]:
    """Have processes that are started meanwhile, by this thread, leave Ctrl-C to this process.

    Ctrl-C reaches the whole process group. A process that is started with the signal blocked keeps
    it blocked.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
