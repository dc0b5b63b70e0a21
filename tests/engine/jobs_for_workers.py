"""What the pool's workers do in tests; imported by them by this name."""

import ctypes
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path


def work(job: str) -> str:
    match job.split():
        case ["segfault", *_]:
            ctypes.string_at(0)
        case ["die", *_]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["die-once", path]:
            with suppress(FileExistsError):
                Path(path).touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        case ["hang"]:
            threading.Event().wait()
        case ["raise"]:
            raise ValueError("no such thing")
        case ["read", path]:
            return Path(path).read_text()
        case ["pid"]:
            return str(os.getpid())
    return job.upper()
