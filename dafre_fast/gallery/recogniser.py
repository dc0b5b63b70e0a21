"""A model that names pictures, in a process of its own.

What people upload may be built to break decoders. There it ends that process at worst, and the
next picture gets a new one.
"""

import signal
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from dafre_fast.core.errors import DafreError, InputError, Refusal, UsageError
from dafre_fast.core.reasons import Reason

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from dafre_fast.learning.naming import Seen

_SECONDS_TO_LOAD, _SECONDS = 120.0, 60.0
_MOST_WAITING = 8
_SHARE_OF_MEMORY = 2
"""Memory for naming, as a multiple of that for decoding."""


class Recogniser:
    """A model in a folder of `train`. One picture at a time is named; up to 8 more may wait."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._worker: tuple[SpawnProcess, Connection] | None = None
        self._one, self._waiting = Lock(), 0

    def name(self, data: bytes) -> "list[Seen]":
        """Return what is seen in the bytes of a picture, head by head, each with five names.

        Raises Refusal if it cannot be read, and UsageError if too many pictures are waiting.
        """
        if self._waiting > _MOST_WAITING:
            raise UsageError("too many pictures are waiting: try again in a minute")
        self._waiting += 1
        try:
            with self._one:
                return self._ask(data)
        finally:
            self._waiting -= 1

    def start(self) -> None:
        """Load the model. Raises InputError if it cannot be read."""
        with self._one:
            self._started()

    def close(self) -> None:
        """End the process."""
        if self._worker:
            process, pipe = self._worker
            self._worker = None
            pipe.close()
            process.kill()
            process.join()

    def _ask(self, data: bytes) -> "list[Seen]":
        pipe = self._started()
        try:
            pipe.send_bytes(data)
            if not pipe.poll(_SECONDS):
                self.close()
                raise Refusal(Reason.TIMEOUT, f"naming it took longer than {_SECONDS:.0f} s")
            answer = pipe.recv()
        except (OSError, EOFError) as error:
            self.close()
            raise Refusal(Reason.WORKER_CRASHED) from error
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def _started(self) -> Connection:
        if self._worker and self._worker[0].is_alive():
            return self._worker[1]
        self.close()
        context = get_context("spawn")  # threads of this process would not survive a fork
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._model), daemon=True)
        process.start()
        theirs.close()
        self._worker = process, ours
        try:
            problem = ours.recv() if ours.poll(_SECONDS_TO_LOAD) else EOFError()
        except (OSError, EOFError) as error:
            problem = error
        if problem:
            self.close()
            raise (
                problem
                if isinstance(problem, DafreError)
                else InputError(f"{self._model}: the process that loads the model ended")
            )
        return ours


def _work(pipe: Connection, model: Path) -> None:
    """Load the model, report how that went, and answer pictures until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this
    from dafre_fast.core.settings.images import Bounds
    from dafre_fast.engine.executors.worker import bound_memory
    from dafre_fast.learning.naming import open_namer
    from dafre_fast.learning.settings import Computing

    with suppress(OSError, EOFError):
        try:
            bounds = Bounds()
            namer = open_namer(model, Computing(), bounds)
        except DafreError as error:
            pipe.send(error)
            return
        bound_memory(_SHARE_OF_MEMORY * bounds.worker_memory)
        pipe.send(None)
        while True:
            data = pipe.recv_bytes()
            try:
                answer: object = namer.name(data)
            except Refusal as refusal:
                answer = refusal
            pipe.send(answer)
