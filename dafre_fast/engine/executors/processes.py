"""A worker process as its parent sees it: started, talked to, killed, and how it ended."""

import os
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from tempfile import NamedTemporaryFile
from typing import Self

from dafre_fast.core.daemons import Daemons
from dafre_fast.engine.executors import forkserver, worker
from dafre_fast.engine.executors.base import J, Loss, Lost, R
from dafre_fast.engine.executors.forkserver import starting
from dafre_fast.engine.executors.messages import MOST_BYTES, Inbox, framed
from dafre_fast.engine.executors.worker import Batch

_STARTS = Daemons("starts", most=1)
"""A thread that does not end: the server dies with the thread that started it."""


class WorkerProcess:
    """A process and the socket to it, which never blocks. It knows nothing of jobs.

    Each has a socket of its own, so that one killed at any moment leaves nothing locked for the
    others.
    """

    def __init__(self, process: BaseProcess, socket: socket.socket) -> None:
        self._process, self._socket = process, socket
        self._inbox, self._unsent = Inbox(), b""
        self._killed_for: Lost | None = None
        self.cpu_seconds = 0.0
        """CPU time up to its last answer."""

    @classmethod
    def start(
        cls,
        context: ForkServerContext,
        bell: socket.socket,
        initialise: Callable[[], Callable[[J], R]],
        memory_bytes: int | None,
        preload: Sequence[str],
        compiles: str = os.devnull,
    ) -> Self:
        """Fork a worker from the server, which is started if it does not run. `bell` is the socket
        at which it rings; `compiles` is the file to which the server writes if it compiles kernels.

        Raises OSError or EOFError if the server ended meanwhile; the next call starts another.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = context.Process(
                target=worker.serve, args=(theirs, bell, initialise, memory_bytes), daemon=True
            )
            try:
                with starting((*preload, worker.__name__), compiles):
                    process.start()
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        return cls(process, ours)

    def fileno(self) -> int:
        """Return the descriptor to select on."""
        return self._socket.fileno()

    def receive(self) -> list[bytes] | None:
        """Return the messages that have arrived, None if the worker has ended."""
        try:
            data = self._socket.recv(MOST_BYTES)
        except OSError:
            data = b""
        return self._inbox.feed(data) if data else None

    @property
    def mid_message(self) -> bool:
        """True if a message is in part on its way, to it or from it, for lack of room."""
        return bool(self._unsent) or self._inbox.mid_message

    def send(self, batch: Batch) -> None:
        """Send jobs, as far as there is room for them now; `send_rest` sends the rest."""
        self._unsent += framed(pickle.dumps(tuple(batch)))
        self.send_rest()

    def send_rest(self) -> None:
        """Send what there was no room for."""
        if self._unsent:
            with suppress(OSError):  # full, or it just died: its end will be read
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def kill(self, loss: Lost | None = None) -> None:
        """Kill it; `loss` is what `loss` will return."""
        self._killed_for = loss
        self._process.kill()

    def end(self) -> None:
        """Kill it, if it has not ended, and wait until it is gone."""
        self._socket.close()
        self._process.kill()  # it is idle, dead, hanging, or its job is abandoned
        self._process.join()

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None before `end`."""
        return self._process.exitcode

    def loss(self) -> Lost:
        """Return how it ended. To be called after `end`."""
        return self._killed_for or _loss(self._process.exitcode or 0)


class FirstStart:
    """The start of a worker in a thread, while the server that it is forked from is prepared. That
    takes about a second, and half a minute or more if kernels have to be compiled.
    """

    def __init__(self, start: Callable[[str], WorkerProcess]) -> None:
        """`start` is `WorkerProcess.start`, but for its argument `compiles`."""
        self._note = NamedTemporaryFile()  # noqa: SIM115  (`process` and `abandon` close it)
        self._result = _STARTS.submit(lambda: start(self._note.name))

    @property
    def compiles(self) -> bool:
        """True once the server has found that kernels have to be compiled."""
        return os.fstat(self._note.fileno()).st_size > 0

    @property
    def done(self) -> bool:
        """True once the worker is started, or could not be."""
        return self._result.done()

    def process(self) -> WorkerProcess:
        """Return the worker, once it is `done`. Raises as `WorkerProcess.start` does."""
        self._note.close()
        return self._result.result()

    def abandon(self) -> None:
        """End the start, whatever it has come to."""
        if not self.done:
            forkserver.kill()
        with suppress(OSError, EOFError):
            self._result.result().end()
        self._note.close()


def _loss(status: int) -> Lost:
    """Return what an exit status stands for; a negative one is a signal."""
    if status == worker.OUT_OF_MEMORY:
        return Lost(Loss.OUT_OF_MEMORY, "MemoryError")
    if status >= 0:
        return Lost(Loss.CRASHED, f"exit status {status}")
    # The kernel kills so where memory is short, and glib traps where it gets none.
    starved = -status in {signal.SIGKILL, signal.SIGTRAP}
    names = {one.value: one.name for one in signal.Signals}
    cause = names.get(-status, f"signal {-status}")
    return Lost(Loss.OUT_OF_MEMORY if starved else Loss.CRASHED, cause)
