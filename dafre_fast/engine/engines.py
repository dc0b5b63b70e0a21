"""Carry out the parts of a run at once on this machine, each in a process of its own, an engine.

An engine is a whole run of a part (`engine.engine`). It tells its events to this process, which
passes them on as those of one run (`engine.joined`). What one learns of a host, the others are
told. One that dies is started again; it goes on where it was. When this process stops or is gone,
so are its engines.
"""

import os
import pickle
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from dafre_fast.core.errors import UsageError, WorkerError
from dafre_fast.core.events import Down, Event, Held, News, Notice, Tell, Up
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.fetching import SharedFetching
from dafre_fast.core.settings.running import Dividing, usable_cores
from dafre_fast.core.stopping import left_to_parent
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.parts import forget_parts, parts_of, take_over
from dafre_fast.engine import loops
from dafre_fast.engine.joined import Joined
from dafre_fast.sources.choose import finds_only
from dafre_fast.sources.manners.hosts import (
    PUBLIC_CONNECTIONS,
    PUBLIC_RATE,
    Reach,
    find_reach,
)

CORES = 8
"""Cores that one engine feeds: it downloads 430 originals of 0.8 MB a second at most, and a worker
makes about 50 images a second of them. On few cores more engines only cost their starts
(docs/scaling.md).
"""
MOST_STARTS = 4
"""An engine that dies so often without finishing one image in between is given up."""
_TO_STOP_SECONDS = 8.0


class Job(NamedTuple):
    """A call that carries out one part: a function as `module:name`, and its arguments but `tell`.
    It can be pickled.
    """

    function: str
    arguments: Sequence[Any]
    named: Mapping[str, Any] = {}


class Failed(NamedTuple):
    """The last message of an engine that ends with an exception."""

    error: BaseException


class Finished(NamedTuple):
    """The last message of an engine that has done its part."""


Message = list[Event] | Failed | Finished | None
"""A message of an engine; None at the end of its output."""


def engines_for(running: Dividing, source: str | None, fetching: SharedFetching) -> int:
    """Return how many engines a run has: as many as asked for, else one for each `CORES` cores if
    originals are fetched; but no more than there are connections or requests per second to share,
    so that a host sees no more of several than of one. `source` is None if none is asked.

    Raises UsageError for engines of a part.
    """
    if running.part:
        if running.engines and running.engines > 1:
            raise UsageError("--engines and --part exclude each other: a part has one engine")
        return 1
    fetches = source is not None and not finds_only(source)
    usual = (running.workers or usable_cores()) // CORES if fetches else 1
    most = _most(source, fetching) if source is not None and fetches else inf
    return int(max(min(running.engines or usual, most), 1))


def _most(source: str, fetching: SharedFetching) -> float:
    address = urlsplit(source)
    public = True
    if address.scheme in {"http", "https"} and address.hostname:
        host = find_reach(address.hostname, 80)
        public = loops.run(host) is Reach.PUBLIC
    usual = (PUBLIC_CONNECTIONS, PUBLIC_RATE) if public else (fetching.connections, inf)
    connections = fetching.connections_per_host or usual[0]
    most = min(fetching.connections, connections, fetching.rate or usual[1])
    return most // fetching.runs_at_once


def divided(running: Dividing, number: int, engines: int) -> Dividing:
    """Return the settings of one engine, `number` from 1: its part, and its share of the workers,
    of which it has at least one.
    """
    workers = running.workers or usable_cores()
    share = workers // engines + (number <= workers % engines)
    part = f"{number}/{engines}"
    return replace(running, part=part, engines=None, workers=max(share, 1))


def shared(fetching: SharedFetching, engines: int) -> SharedFetching:
    """Return the settings of downloads for each of so many engines."""
    return replace(fetching, runs_at_once=fetching.runs_at_once * engines)


def make_way(output: Path, *, resume: bool) -> None:
    """Take over what earlier parts have done, whatever their number, unless all starts anew.

    Raises UsageError if a run is at work, OutputError if the output cannot be written.
    """
    if not parts_of(output):
        return
    with Ledger(output / STATE) as ledger:
        if resume:
            take_over(output, ledger)
        forget_parts(output)


def run_engines(job_of: Callable[[int, int], Job], engines: int, tell: Tell) -> None:
    """Carry out the jobs of parts 1 to `engines`; `job_of` takes the number of a part, and how
    often its engine was started before.

    Raises what an engine raises, after the others are stopped; WorkerError if an engine died too
    often, after the others have done their parts. Raises KeyboardInterrupt as any run.
    """
    fleet = _Fleet(job_of, engines, tell)
    with fleet:
        fleet.work()


class _Engine:
    """One engine: its process, how often it was started, and what it had done when it was."""

    def __init__(self, number: int) -> None:
        self.number, self.starts, self.fruitless = number, 0, 0
        self.done_at_start = -1
        self.process: subprocess.Popen[bytes] | None = None


class _Fleet:
    def __init__(self, job_of: Callable[[int, int], Job], engines: int, tell: Tell) -> None:
        self._job_of, self._tell = job_of, tell
        self._engines = [_Engine(number) for number in range(1, engines + 1)]
        self._joined = Joined(engines, tell)
        self._messages = queue.SimpleQueue[tuple[_Engine, Message]]()
        self._news = dict[tuple[str, type[Event]], tuple[Held | Down, float]]()
        """What is known of hosts, and when it was told."""
        self._dead: list[str] = []
        self._listeners: list[Thread] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        """Stop the engines that still run, and wait for their end."""
        running = [one.process for one in self._engines if one.process]
        for process in running:
            with suppress(OSError):
                process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_TO_STOP_SECONDS)
            process.kill()
        for engine in self._engines:
            if engine.process:
                self._end(engine)
        for thread in self._listeners:
            thread.join()

    def work(self) -> None:
        for engine in self._engines:
            self._start(engine)
        while any(engine.process for engine in self._engines):
            engine, message = self._messages.get()
            match message:
                case Failed(error):
                    raise error
                case Finished():
                    self._joined.ended(engine.number)
                    self._end(engine)
                case None if engine.process:
                    self._died(engine)
                case None:
                    pass
                case events:
                    for event in events:
                        self._joined.take(engine.number, event)
                        if isinstance(event, News):
                            self._pass_on(engine, event)
        if self._dead:
            raise WorkerError(
                f"{'; '.join(self._dead)}: what is finished is kept, and the same command goes on"
            )

    def _start(self, engine: _Engine) -> None:
        job = self._job_of(engine.number, engine.starts)
        engine.starts += 1
        engine.done_at_start = self._joined.done_by(engine.number)
        with left_to_parent():
            process = subprocess.Popen(
                [sys.executable, "-m", "dafre_fast.engine.engine"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        engine.process = process
        listener = Thread(target=self._listen, args=(engine, process), daemon=True)
        listener.start()
        self._listeners.append(listener)
        assert process.stdin
        with suppress(OSError):  # it died at once: `_listen` says so
            process.stdin.write(pickle.dumps(job))
            process.stdin.flush()
            os.set_blocking(process.stdin.fileno(), False)
        for news, at in self._news.values():
            seconds = news.seconds - (time.monotonic() - at)
            if seconds > 0:
                _tell(engine, replace(news, seconds=seconds))

    def _listen(self, engine: _Engine, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout
        with process.stdout, suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                self._messages.put((engine, pickle.load(process.stdout)))  # noqa: S301
        self._messages.put((engine, None))

    def _pass_on(self, teller: _Engine, news: News) -> None:
        """Tell the other engines what one learned of a host, and keep it for those to come."""
        if isinstance(news, Up):
            self._news.pop((news.host, Down), None)
        else:
            self._news[news.host, type(news)] = news, time.monotonic()
        for engine in self._engines:
            if engine is not teller:
                _tell(engine, news)

    def _end(self, engine: _Engine) -> int:
        process, engine.process = engine.process, None
        assert process
        if process.stdin:
            with suppress(OSError):
                process.stdin.close()
        return process.wait()

    def _died(self, engine: _Engine) -> None:
        status = self._end(engine)
        fruitful = self._joined.done_by(engine.number) > engine.done_at_start
        engine.fruitless = 1 if fruitful else engine.fruitless + 1
        how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        name = f"engine {engine.number} of {len(self._engines)}"
        if engine.fruitless < MOST_STARTS:
            self._tell(Notice(f"{name} died ({how}) and is started again"))
            self._start(engine)
        else:
            self._joined.ended(engine.number)
            self._dead.append(f"{name} died {engine.fruitless} times ({how})")


def _tell(engine: _Engine, news: News) -> None:
    """Tell an engine news, unless it does not listen: then it has them from the host itself."""
    if engine.process and engine.process.stdin:
        with suppress(OSError):  # a pipe takes so few bytes as a whole, or not at all
            os.write(engine.process.stdin.fileno(), pickle.dumps(news))
