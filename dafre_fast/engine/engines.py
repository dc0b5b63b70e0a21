"""Carry out the parts of a run at once on this machine, each in a process of its own, an engine.

An engine is a whole run of a part (`engine.engine`). What one learns of a host, the others are
told. One that dies is started again; it goes on where it was (`engine.coordinator`). When this
process stops or is gone, so are its engines.
"""

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from msgspec.structs import replace

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import News, Tell
from dafre_fast.core.layout import STATE
from dafre_fast.core.settings.fetching import SharedFetching
from dafre_fast.core.settings.running import Dividing, usable_cores
from dafre_fast.dataset.ledger import Ledger
from dafre_fast.dataset.parts import forget_parts, parts_of, take_over
from dafre_fast.engine import loops
from dafre_fast.engine.coordinator import Job, Message, Place, Rules, carry_out_parts
from dafre_fast.engine.process import EngineProcess
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
_WAIT_SECONDS = 1.0


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
    return int(max(min(running.engines or usual, most_at_once(source, fetching)), 1))


def most_at_once(source: str | None, fetching: SharedFetching) -> float:
    """Return how many parts can share the connections and requests per second of a host: at least
    one, infinitely many if originals are not fetched.
    """
    if source is None or finds_only(source):
        return inf
    address = urlsplit(source)
    public = True
    if address.scheme in {"http", "https"} and address.hostname:
        host = find_reach(address.hostname, 80)
        public = loops.run(host) is Reach.PUBLIC
    usual = (PUBLIC_CONNECTIONS, PUBLIC_RATE) if public else (fetching.connections, inf)
    connections = fetching.connections_per_host or usual[0]
    most = min(fetching.connections, connections, fetching.rate or usual[1])
    return max(most // fetching.runs_at_once, 1)


def divided(running: Dividing, number: int, engines: int) -> Dividing:
    """Return the settings of one engine, `number` from 1: its part, and its share of the workers,
    of which it has at least one.
    """
    workers = running.workers or usable_cores()
    share = workers // engines + (number <= workers % engines)
    part = f"{number}/{engines}"
    return replace(running, part=part, engines=engines, workers=max(share, 1))


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
    often its engine was started before. Raises as `engine.coordinator.carry_out_parts` does, when
    all engines have ended.
    """
    with _Engines(engines) as places:
        carry_out_parts(lambda one: job_of(one.number, one.before), engines, places, tell, Rules())


class _Engines:
    """Processes of this machine (`engine.coordinator.Places`)."""

    def __init__(self, engines: int) -> None:
        self._places = [Place(f"engine {number}", 1) for number in range(1, engines + 1)]
        self._processes = dict[int, EngineProcess]()
        self._messages = queue.SimpleQueue[tuple[int, Message]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.stop()

    def all(self) -> Sequence[Place]:
        return self._places

    def start(self, number: int, _place: Place, job: Job) -> None:
        name = f"engine {number} of {len(self._places)}"
        put = self._messages.put
        self._processes[number] = EngineProcess(name, job, lambda told: put((number, told)))

    def tell(self, number: int, news: News) -> None:
        self._processes[number].tell(news)

    def messages(self) -> Iterator[tuple[int, Message]]:
        with suppress(queue.Empty):
            yield self._messages.get(timeout=_WAIT_SECONDS)
            while True:
                yield self._messages.get_nowait()
