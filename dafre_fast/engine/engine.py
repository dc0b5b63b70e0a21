"""An engine: the process that carries out one part for `engine.engines`.

`python -m dafre_fast.engine.engine` reads a pickled `Job` from standard input, then news of hosts
that other engines learned. It writes pickled messages to standard output: lists of events, and at
the end whether the part is done. It stops when standard input ends, since its parent is gone then;
at once if it was asked to stop before.
"""

import os
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pkgutil import resolve_name
from threading import Event as Flag
from threading import Lock, Thread
from typing import IO

from dafre_fast.core.errors import DafreError, WorkerError
from dafre_fast.core.events import Event, News, Tell
from dafre_fast.core.limits import raise_open_files
from dafre_fast.core.stopping import Stopped, is_asked, raise_stopped
from dafre_fast.engine.coordinator import Failed, Finished, Job, Message
from dafre_fast.sources.manners.news import hear

_TO_STOP_SECONDS = 12.0


class _Telling:
    """Collects events, and passes them on every so often; news of hosts at once."""

    def __init__(self, told: IO[bytes], seconds: float) -> None:
        self._told, self._events, self._lock = told, list[Event](), Lock()
        self._seconds = seconds
        self._urgent, self._over = Flag(), False

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)
        if isinstance(event, News):
            self._urgent.set()

    def keep_telling(self) -> None:
        while not self._over:
            self._urgent.wait(self._seconds)
            self._urgent.clear()
            self.flush()

    def end(self) -> None:
        self._over = True
        self._urgent.set()

    def flush(self, last: Message | None = None) -> None:
        with self._lock:
            events, self._events = self._events, []
            for message in (events or None, last):
                if message is not None:
                    pickle.dump(message, self._told)
            self._told.flush()


@contextmanager
def _telling(told: IO[bytes], seconds: float) -> Iterator["_Telling"]:
    telling = _Telling(told, seconds)
    thread = Thread(target=telling.keep_telling, daemon=True)
    thread.start()
    try:
        yield telling
    finally:
        telling.end()
        thread.join()


def main() -> None:
    """Carry out the job that comes on standard input."""
    told = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print among the messages
    raise_stopped("engine")
    raise_open_files()
    # Python ends badly while a thread reads its own standard input.
    told_us = os.fdopen(os.dup(0), "rb")
    job: Job = pickle.load(told_us)  # noqa: S301  (from our own parent)
    Thread(target=_listen_to_parent, args=(told_us,), daemon=True).start()
    for news in job.news:
        hear(news)
    try:
        with _telling(told, job.tell_seconds) as telling:
            last = _carry_out(job, telling)
        telling.flush(last)
    except Stopped as stopped:
        os._exit(128 + stopped.number)
    except BrokenPipeError:  # the parent is gone
        os._exit(128 + signal.SIGTERM)
    told.close()


def _carry_out(job: Job, tell: Tell) -> Failed | Finished:
    try:
        resolve_name(job.function)(*job.arguments, tell=tell, **job.named)
    except DafreError as error:
        return Failed(_that_travels(error))
    return Finished()


def _that_travels(error: DafreError) -> BaseException:
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
    except Exception:  # noqa: BLE001  (whatever its class does)
        return WorkerError(f"{type(error).__name__}: {error}")
    return error


def _listen_to_parent(told_us: IO[bytes]) -> None:
    """Take over news until the parent is gone, then end this process."""
    with suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            hear(pickle.load(told_us))  # noqa: S301  (from our own parent)
    if not is_asked():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_TO_STOP_SECONDS)
    os._exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
