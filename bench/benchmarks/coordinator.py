"""Coordinator: the CPU time per image of the process that supervises parts on other machines.

Parts are only told of, as messages of a drawn cluster whose nodes fail at random: no images.
"""

import heapq
import io
import pickle
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.benchmarks import Workload
from bench.measure import Contender, timed
from dafre_fast.core.events import Advanced, Asked, Began, Ended, Event, News, Outcome, Tell
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.core.settings.fetching import Watching
from dafre_fast.engine.coordinator import (
    Finished,
    Job,
    Lost,
    Message,
    Place,
    Rules,
    Start,
    carry_out_parts,
)
from dafre_fast.views.terminal import terminal

_IMAGES, _NODES, _MESSAGES = 10_000, 100, 20
_URL = "https://host.example/0{:03}/{}.jpg"


@contextmanager
def contenders(workload: Workload) -> Iterator[list[Contender]]:
    parts = max(workload.jobs // 2000, 2)
    images = parts * _IMAGES
    with TemporaryDirectory(dir=workload.folder) as folder:
        plain = partial(_supervise, parts, Watching())
        log, metrics = Path(folder, "log.json"), Path(folder, "metrics")
        logged = partial(_supervise, parts, Watching(log_json=log, metrics_file=metrics))
        name = f"{parts} parts of {_IMAGES:,} images"
        yield [
            Contender(name, partial(timed, plain), images),
            Contender(f"{name}, log and metrics", partial(timed, logged), images),
        ]


def _supervise(parts: int, watching: Watching) -> None:
    cluster = DrawnCluster(_NODES, events=tell_all, images=_IMAGES)
    with redirect_stderr(io.StringIO()), terminal(watching) as tell:
        cluster.carry_out(parts, tell)
    assert len(cluster.finished) == parts


def tell_all(first: int, count: int) -> list[Event]:
    """Return the events of so many images, as an engine tells them: where each comes from, and what
    becomes of it.
    """
    return [event for image in range(first, first + count) for event in _events(image)]


def _events(image: int) -> tuple[Event, Event]:
    url = _URL.format(image % 1000, image)
    fetched = Fetched(key=str(image), url=url, bytes=800_000, attempts=1, seconds=0.4)
    return Outcome(fetched), Advanced((None if image % 50 else Reason.NOT_AN_IMAGE,))


def tell_counts(_first: int, count: int) -> list[Event]:
    """Return what is counted of so many images."""
    return [Advanced((None,) * count)]


class DrawnCluster:
    """A cluster of nodes that fail at random, and lose their part; its clock is its own.

    A part of `images` is done in `_MESSAGES` messages, each a second after the one before, and
    goes on after it was lost where it was (`done`, as its ledger would). `events` makes the events
    of images. Of every hundred messages, `failures` are the end of a node; it comes back a minute
    later.
    """

    def __init__(
        self,
        nodes: int,
        events: Callable[[int, int], list[Event]] = tell_counts,
        images: int = _IMAGES,
        failures: int = 1,
        seed: int = 1,
    ) -> None:
        self._places = [Place(f"node {number}", 16) for number in range(nodes)]
        self._back_at = dict.fromkeys(self._places, 0.0)
        self._events, self._images, self._failures = events, images, failures
        self._chance, self._now = random.Random(seed), 0.0
        self._at_work = list[tuple[float, int, Place]]()
        self._begun = set[int]()
        self.done, self.finished = Counter[int](), set[int]()
        self.starts, self.most_at_once = Counter[int](), 0
        self.sharers = dict[int, int]()

    def carry_out(self, parts: int, tell: Tell, rules: Rules | None = None) -> None:
        """Carry out parts on this cluster."""
        self._whole = parts * self._images
        rules = rules or Rules(pause=15.0, joins_late=True)
        carry_out_parts(self._job, parts, self, tell, rules, clock=lambda: self._now)

    def _job(self, start: Start) -> Job:
        self.sharers[start.number] = start.sharers
        return Job("", ())

    def all(self) -> Collection[Place]:
        return [place for place in self._places if self._back_at[place] <= self._now]

    def start(self, number: int, place: Place, _job: Job) -> None:
        assert place not in {other for _, _, other in self._at_work}
        assert number not in {other for _, other, _ in self._at_work}
        self.starts[number] += 1
        self._begun.discard(number)
        heapq.heappush(self._at_work, (self._now + 1, number, place))
        self.most_at_once = max(self.most_at_once, len(self._at_work))

    def tell(self, number: int, news: News) -> None:
        pass

    def messages(self) -> Iterator[tuple[int, Message]]:
        until = self._now + 1
        while self._at_work and self._at_work[0][0] <= until:
            self._now, number, place = heapq.heappop(self._at_work)
            if self._chance.randrange(100) < self._failures:
                self._back_at[place] = self._now + 60
                self.sharers.pop(number)
                yield number, Lost(f"part {number} was lost on {place.name}", "the node died")
                continue
            events = self._next(number)
            if events:
                heapq.heappush(self._at_work, (self._now + 1, number, place))
                yield number, pickle.loads(pickle.dumps(events))
            else:
                self.finished.add(number)
                self.sharers.pop(number)
                yield number, Finished()
        self._now = max(self._now, until)

    def _next(self, number: int) -> Sequence[Event]:
        """Return the next events of a part, none if it is done."""
        done = self.done[number]
        if number not in self._begun:
            self._begun.add(number)
            begin = Began("images", self._images, done), Asked(self._images, done, self._whole)
            return [*begin, *([Ended()] if done == self._images else [])]
        count = min(self._images // _MESSAGES, self._images - done)
        if not count:
            return []
        self.done[number] += count
        return self._events(done, count)
