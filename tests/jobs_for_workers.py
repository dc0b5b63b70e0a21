"""What the pool's workers do in tests; imported by them by this name."""

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path

from dafre_fast.core.records import Made
from dafre_fast.dataset.ledger import Ledger


def work(job: str) -> str:
    match job.split():
        case ["raise"]:
            raise ValueError("no such thing")
        case ["read", path]:
            return Path(path).read_text()
        case ["pid"]:
            return str(os.getpid())
        case ["server"]:
            return str(os.getppid())
        case ["take" | "spend" as use, amount]:
            USES[use](float(amount))
        case ["die-once", path, *gates]:
            with suppress(FileExistsError):
                Path(path).touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
            for gate in gates:
                Path(gate).read_text()
        case ["tell-and-hang", gate]:
            Path(gate).write_text(str(os.getpid()))
            threading.Event().wait()
        case [ending, *_] if ending in ENDINGS:
            ENDINGS[ending]()
    return job.upper()


def exhaust() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(10_000_000))


def spend(seconds: float) -> None:
    """Take so much of the CPU, however long that lasts."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


USES = {"take": lambda megabytes: bytearray(int(megabytes * 1_000_000)), "spend": spend}
ENDINGS = {
    "segfault": lambda: ctypes.string_at(0),
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "trap": lambda: os.kill(os.getpid(), signal.SIGTRAP),
    "exit": lambda: os._exit(3),
    "exhaust": exhaust,
    "hang": lambda: threading.Event().wait(),
}


def append_and_wait(ledger: Ledger, go_on: Event) -> None:
    ledger.append(Made(key="of a worker"))
    go_on.wait()


class KillsItsReader:
    """A work function that no worker can load."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (1,)

    def __call__(self, job: str) -> str:
        raise AssertionError(job)
