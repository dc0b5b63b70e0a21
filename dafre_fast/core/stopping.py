"""Stop a command: by Ctrl-C, by SIGTERM, and by the end of its terminal (SIGHUP).

The first signal raises `Stopped` in the main thread, so that everything is left in order. Nothing
depends on that: a run may be killed at any moment. So a process that does not get there in time is
ended, whatever it waits for.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread, Timer, main_thread
from types import FrameType
from typing import ClassVar, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 2.0
"""Signals that follow the first so soon change nothing: whoever presses Ctrl-C twice must not break
off what is being cleaned up. One that comes later ends the process at once."""
_TO_HEED_SECONDS = 1.5
"""Most time in a call that does not notice signals, such as a long query of polars."""
_TO_END_SECONDS = 10.0
"""Most time for cleaning up."""
_AGAIN_SECONDS = 0.01
_MESSAGE = "stopped; what is finished is kept, and the same command goes on"

_heeded = Event()


class Stopped(KeyboardInterrupt):
    """The command is asked to stop by the signal `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def raise_stopped(name: str) -> None:
    """Have the main thread raise `Stopped` at the first signal, for the rest of this process, the
    command `name`. What is ignored (nohup), or answered by somebody else, is left as it is.
    """
    asked = _Asked()
    answered = [
        number
        for number in SIGNALS
        if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}
    ]
    for number in answered:
        signal.signal(number, asked)
    sys.unraisablehook = asked.not_passed_on
    numbers, noted = os.pipe()
    os.set_blocking(noted, False)
    signal.set_wakeup_fd(noted, warn_on_full_buffer=False)
    Thread(target=_watch, args=(numbers, answered, name), daemon=True).start()


def heed() -> None:
    """Note that the signal has been noticed, so that the process is about to end in order."""
    _heeded.set()


def is_asked() -> bool:
    """Return whether this process was asked to stop, and has noticed."""
    return _heeded.is_set()


def asked_by(stop: BaseException | None) -> int:
    """Return the number of the signal that led to an exception. Libraries put a KeyboardInterrupt
    of their own in the place of `Stopped`, such as Ray while it waits.
    """
    return stop.number if isinstance(stop, Stopped) else _Asked.number


def end(name: str, number: int) -> NoReturn:
    """End this process, the command `name`, after a signal. No thread is waited for."""
    with suppress(OSError):
        os.write(2, f"{name}: {_MESSAGE}\n".encode())
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(128 + number)


class _Asked:
    number: ClassVar[int] = signal.SIGINT
    """The number of the first signal."""

    def __init__(self) -> None:
        self._at: float | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._at is None:
            self._at, _Asked.number = now, number
            heed()
            raise Stopped(number)
        if now - self._at > PATIENCE_SECONDS:
            os._exit(128 + number)

    def not_passed_on(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Raise again, a moment later, what came while Python itself called something back, such as
        at the end of an import: there no exception is passed on.
        """
        if isinstance(unraisable.exc_value, Stopped):
            self._at = None
            again = main_thread().ident, unraisable.exc_value.number
            Timer(_AGAIN_SECONDS, signal.pthread_kill, again).start()
        else:
            sys.__unraisablehook__(unraisable)


def _watch(numbers: int, answered: list[signal.Signals], name: str) -> None:
    """End the process if it does not end by itself after a signal; Python writes its number."""
    while (number := os.read(numbers, 1)[0]) not in answered:
        pass
    if _heeded.wait(_TO_HEED_SECONDS):
        time.sleep(_TO_END_SECONDS)
    end(name, number)


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
