"""Calls for engines (`engine.engines`)."""

import os
import queue
import signal
import time
from pathlib import Path

from dafre_fast.core.errors import SourceError
from dafre_fast.core.events import Advanced, Asked, Began, Ended, Held, News, Tell
from dafre_fast.sources.manners import news


def make_ten(folder: Path, number: int, tell: Tell) -> None:
    """Make ten images, which a file each stands for; those that are there stand."""
    mine = [folder / f"{number}-{image}" for image in range(10)]
    left = [path for path in mine if not path.exists()]
    tell(Began("images", 10, 10 - len(left)))
    tell(Asked(10, 10 - len(left)))
    for path in left:
        path.touch()
        tell(Advanced((None,)))
    tell(Ended())


def die_once(folder: Path, number: int, tell: Tell) -> None:
    """Be killed after the third image, the first time."""
    if number == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        for image in range(3):
            (folder / f"2-{image}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    make_ten(folder, number, tell)


def die(folder: Path, number: int, tell: Tell) -> None:
    if number == 2:
        os._exit(7)
    make_ten(folder, number, tell)


def fail(folder: Path, number: int, tell: Tell) -> None:
    """Raise an error in one engine, while the other would go on for ever."""
    (folder / f"begun {number} {os.getpid()}").touch()
    if number == 1:
        while len([*folder.glob("begun *")]) < 2:
            time.sleep(0.01)
        raise SourceError("must not be asked")
    hang(folder, number, tell)


def hang(folder: Path, number: int, tell: Tell) -> None:  # noqa: ARG001
    (folder / f"hanging {number} {os.getpid()}").touch()
    while True:
        time.sleep(0.1)


def hang_when_stopped(folder: Path, number: int, tell: Tell) -> None:
    """Do not end when asked to stop."""
    try:
        hang(folder, number, tell)
    finally:
        hang(folder / "stopped", number, tell)


class _Listener:
    def __init__(self) -> None:
        self.heard = queue.SimpleQueue[News]()

    def hear(self, told: News, _at: float) -> None:
        self.heard.put(told)


def listen(folder: Path, number: int, tell: Tell) -> None:
    """Engine 1 tells what a host asks for; engine 2 hears it, dies, and hears it again."""
    listener = _Listener()
    known = news.listen(listener, "host")
    if number == 1:
        tell(Held("host", 60.0))
    else:
        told, _ = known[0] if known else (listener.heard.get(), 0.0)
        path = folder / f"heard {len([*folder.glob('heard *')])}"
        path.write_text(f"{told.host} {told.seconds > 1}")
        if path.name == "heard 0":
            os.kill(os.getpid(), signal.SIGKILL)
    make_ten(folder / "images", number, tell)
