"""The process of an engine (`engine.engine`), as its parent sees it."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO

from dafre_fast.core.events import News
from dafre_fast.core.stopping import left_to_parent
from dafre_fast.engine.coordinator import Failed, Finished, Job, Lost, Message

_TO_STOP_SECONDS = 8.0


class EngineProcess:
    """An engine that carries out a job. `put` is called, by a thread, with each of its messages;
    the last is Failed, Finished or Lost, and comes when the process has ended.

    `name` is what a person calls it. It works in `folder`, and writes to the file `errors`; by
    default to those of this process. It ends with this process, too.
    """

    def __init__(
        self,
        name: str,
        job: Job,
        put: Callable[[Message], None],
        folder: Path | None = None,
        errors: IO[bytes] | None = None,
    ) -> None:
        self._name, self._put, self._errors = name, put, errors
        with left_to_parent():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dafre_fast.engine.engine"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
            )
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        assert self._process.stdin
        with suppress(OSError):  # it died at once: `_listen` says so
            self._process.stdin.write(pickle.dumps(job))
            self._process.stdin.flush()
            os.set_blocking(self._process.stdin.fileno(), False)

    def tell(self, news: News) -> None:
        """Tell it news, unless it does not listen: then it has them from the host itself."""
        assert self._process.stdin
        with suppress(OSError, ValueError):  # a pipe takes so few bytes as a whole, or not at all
            os.write(self._process.stdin.fileno(), pickle.dumps(news))

    def terminate(self) -> None:
        """Ask it to stop."""
        with suppress(OSError):
            self._process.terminate()

    def stop(self) -> None:
        """Ask it to stop, and wait for its end; it is killed if it takes too long."""
        self.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_TO_STOP_SECONDS)
        self._process.kill()
        self._listener.join()
        self._close()

    def _close(self) -> None:
        assert self._process.stdin
        with suppress(OSError):
            self._process.stdin.close()

    def _listen(self) -> None:
        assert self._process.stdout
        last: Failed | Finished | None = None
        with self._process.stdout as told, suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                match pickle.load(told):  # noqa: S301  (from our own)
                    case Failed() | Finished() as last:
                        pass
                    case events:
                        self._put(events)
        status = self._process.wait()
        self._close()
        self._put(Lost(f"{self._name} died", self._how(status)) if last is None else last)

    def _how(self, status: int) -> str:
        if status < 0:
            return f"killed by signal {-status}"
        said = b""
        if self._errors:
            self._errors.seek(0)
            said = self._errors.read().strip().rpartition(b"\n")[2]
        return f"exit status {status}" + (f": {said.decode(errors='replace')}" if said else "")
