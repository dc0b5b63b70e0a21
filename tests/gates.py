"""Gates at which a worker waits until it is let through. Linux alone: they look into /proc."""

import os
from contextlib import suppress
from pathlib import Path

from dafre_fast.core.atomic import temporary
from tests.torture.kills import await_true, processes_of


class Gate:
    """A full pipe in the place where a worker writes an output, before it gets its name."""

    def __init__(self, output: Path) -> None:
        self.path = temporary(output)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while True:
                os.write(self._pipe, bytes(4096))

    def await_worker(self, session: int) -> None:
        """Wait until a process of the session has come to the gate."""
        assert await_true(lambda: any(map(self._is_open_in, processes_of(session))))

    def _is_open_in(self, process: int) -> bool:
        with suppress(OSError):
            descriptors = Path(f"/proc/{process}/fd").iterdir()
            return any(self.path.samefile(one) for one in descriptors)
        return False

    def let_through(self) -> None:
        """Let the worker write what it will."""
        with suppress(BlockingIOError):
            while os.read(self._pipe, 1 << 16):
                pass

    def remove(self) -> None:
        os.close(self._pipe)
        self.path.unlink(missing_ok=True)
