"""Jobs that workers do in tests. Workers import this module by its name."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path

from dafre_fast.core.findings import Output
from dafre_fast.core.records import Made
from dafre_fast.dataset.recorder import Recorder


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
        case [ending, *_] if ending in ENDINGS:
            ENDINGS[ending]()
        case [action, argument] if action in ACTIONS:
            ACTIONS[action](argument)
    return job.upper()


def tell_and_hang(gate: str) -> None:
    Path(gate).write_text(str(os.getpid()))
    threading.Event().wait()


def hang(*_job: object) -> None:
    threading.Event().wait()


def tell_and_wait(gate: str) -> None:
    Path(gate).write_text(str(os.getpid()))
    Path(gate).read_text()


def spin(seconds: str) -> None:
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        pass


ACTIONS = {"tell-and-hang": tell_and_hang, "tell-and-wait": tell_and_wait, "spin": spin}


class Stays(Exception):
    """One that cannot be read back: pickle gives `__init__` the message alone."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


def raise_what_stays() -> None:
    raise Stays("what", "stays")


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
    "raise-what-stays": raise_what_stays,
}


def look_and_die_at(outputs: tuple[Output, ...]) -> list[str]:
    return [work(output.file) for output in outputs]


def append_and_wait(recorder: Recorder, go_on: Event) -> None:
    recorder.append(Made(key="of a worker"))
    go_on.wait()


def initialise_and_note(folder: str) -> Callable[[str], str]:
    """Leave a file per call; jobs give what is in it, which no other call has."""
    name = f"{os.getpid()} {time.monotonic_ns()}"
    Path(folder, name).write_text(name)
    return lambda job: name if work(job) else ""


def initialise_large() -> Callable[[str], str]:
    """Keep 300 MB."""
    weights = bytearray(300_000_000)
    return lambda job: work(job) if weights else ""


def fail_to_initialise(folder: str) -> Callable[[str], str]:
    """Leave a file per call."""
    Path(folder, str(time.monotonic_ns())).touch()
    raise FileNotFoundError("no weights")


def give_what_stays(job: str) -> Callable[[], str]:
    return lambda: job


def die_instead() -> Callable[[str], str]:
    os._exit(1)


class KillsItsReader:
    """An `initialise` that no worker can load."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (1,)

    def __call__(self) -> Callable[[str], str]:
        raise AssertionError
