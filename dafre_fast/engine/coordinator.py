"""Carry out the parts of a run at several places at once, and again where one is lost.

A place does one part at a time: it is an engine of this machine (`engine.engines`) or a node of a
cluster (`engine.ray_nodes`). A part is a whole run (`engine.engine`), which tells its events to
this process; they are passed on as those of one run (`engine.joined`). What a part had finished
when its place was lost is in its ledger, so that the next attempt goes on there.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from heapq import heappop, heappush
from math import inf
from typing import Any, NamedTuple, Protocol

from msgspec.structs import replace

from dafre_fast.core.errors import BusyError, WorkerError
from dafre_fast.core.events import Down, Event, Held, News, Notice, Tell, Up
from dafre_fast.engine.joined import Joined

MOST_STARTS = 4
"""A part that is lost so often without one finished image in between is given up."""
_MOST_GIVEN_UP = 10
"""Parts that are given up before the run is."""
_SEARCH_SECONDS = 300.0
"""Longest time without any place."""


class Job(NamedTuple):
    """A call that carries out one part: a function as `module:name`, and its arguments but `tell`.
    It can be pickled. Events are told every `tell_seconds`; `news` of hosts are known before.
    """

    function: str
    arguments: Sequence[Any]
    named: Mapping[str, Any] = {}
    tell_seconds: float = 0.1
    news: Sequence[News] = ()


class Failed(NamedTuple):
    """The last message of a part that ends with an exception."""

    error: BaseException


class Finished(NamedTuple):
    """The last message of a part that is done."""


class Lost(NamedTuple):
    """The last message of a part whose place, or process there, died. `what` begins a sentence
    ("engine 2 of 2 died"), and `how` says more.
    """

    what: str
    how: str


Message = Sequence[Event] | Failed | Finished | Lost


class Place(NamedTuple):
    """A place for one part, and how many cores it has there."""

    name: str
    cores: int


class Start(NamedTuple):
    """An attempt at part `number` (from 1): where it is made, how many parts share the hosts with
    it, itself included, and how often it was started before.
    """

    number: int
    place: Place
    sharers: int
    before: int


class Places(Protocol):
    """Places where parts are carried out. Whoever made them stops those at work at the end."""

    def all(self) -> Collection[Place]:
        """Return the places that there are now, with those that are at work."""

    def start(self, number: int, place: Place, job: Job) -> None:
        """Start a part at a place that does none."""

    def tell(self, number: int, news: News) -> None:
        """Tell a part that is at work what another one learned of a host."""

    def messages(self) -> Iterable[tuple[int, Message]]:
        """Wait a second at most; return the messages that have come, with the numbers of parts."""


class Rules(NamedTuple):
    """Limits of a run in parts.

    At most `at_once` parts ask the hosts of the source together; infinite if none are asked. A part
    that was lost is started again after `pause` seconds, until when no process of the last attempt
    is left. `joins_late` is true if not all parts begin at once.
    """

    at_once: float = inf
    pause: float = 0.0
    joins_late: bool = False


def carry_out_parts(
    job_of: Callable[[Start], Job],
    parts: int,
    places: Places,
    tell: Tell,
    rules: Rules,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Carry out the jobs of parts 1 to `parts`, as many at once as there are places.

    Raises what a part raises, while others are still at work; WorkerError if a part was lost too
    often, after the others are done, or if no place is found. Raises KeyboardInterrupt as any run.
    """
    _Coordinator(job_of, parts, places, tell, rules, clock).work()


class _Attempts:
    """How often a part was started, and lost without having finished an image."""

    __slots__ = ("done_at_start", "fruitless", "starts")

    def __init__(self) -> None:
        self.starts, self.fruitless, self.done_at_start = 0, 0, 0


class _Coordinator:
    def __init__(
        self,
        job_of: Callable[[Start], Job],
        parts: int,
        places: Places,
        tell: Tell,
        rules: Rules,
        clock: Callable[[], float],
    ) -> None:
        self._job_of, self._places, self._tell, self._rules = job_of, places, tell, rules
        self._clock, self._found_at = clock, clock()
        self._joined = Joined(parts, tell, late=rules.joins_late)
        self._waiting = deque(range(1, parts + 1))
        self._paused = list[tuple[float, int]]()
        self._at_work = dict[int, Start]()
        self._attempts = dict[int, _Attempts]()
        self._given_up = list[str]()
        self._news = dict[tuple[str, type[Event]], tuple[Held | Down, float]]()
        """News of hosts, and when they were told."""

    def work(self) -> None:
        while self._waiting or self._paused or self._at_work:
            self._start_parts()
            for number, message in self._places.messages():
                if number in self._at_work:
                    self._take(number, message)
        if self._given_up:
            raise self._too_often()

    def _start_parts(self) -> None:
        while self._paused and self._paused[0][0] <= self._clock():
            self._waiting.appendleft(heappop(self._paused)[1])
        if not self._waiting:
            return
        places = self._places.all()
        self._refuse_long_search(places)
        busy = {start.place for start in self._at_work.values()}
        for place in places:
            if place not in busy:
                if not (self._waiting and self._may_start(sharers := self._sharers(places))):
                    return
                self._start(self._waiting.popleft(), place, sharers)

    def _sharers(self, places: Collection[Place]) -> int:
        return int(min(len(places), self._rules.at_once))

    def _may_start(self, sharers: int) -> bool:
        """Tell whether another share of the hosts is free: parts that began when there were fewer
        places keep their larger shares to their end.
        """
        if self._rules.at_once == inf:
            return True
        return (
            sum(Fraction(1, one.sharers) for one in self._at_work.values()) + Fraction(1, sharers)
            <= 1
        )

    def _start(self, number: int, place: Place, sharers: int) -> None:
        attempts = self._attempts.setdefault(number, _Attempts())
        start = Start(number, place, sharers, attempts.starts)
        attempts.starts += 1
        attempts.done_at_start = self._joined.done_by(number)
        self._at_work[number] = start
        self._places.start(number, place, self._job_of(start)._replace(news=self._known()))

    def _take(self, number: int, message: Message) -> None:
        match message:
            case Failed(BusyError() as error) if self._rules.pause:
                self._lost(number, Lost(f"part {number} is not free yet", str(error)))
            case Failed(error):
                raise error
            case Finished():
                self._end(number)
            case Lost():
                self._lost(number, message)
            case events:
                for event in events:
                    self._joined.take(number, event)
                    if isinstance(event, News):
                        self._pass_on(number, event)

    def _pass_on(self, teller: int, news: News) -> None:
        """Tell the other parts what one learned of a host, and keep it for those to come."""
        if isinstance(news, Up):
            self._news.pop((news.host, Down), None)
        else:
            self._news[news.host, type(news)] = news, self._clock()
        for number in self._at_work:
            if number != teller:
                self._places.tell(number, news)

    def _known(self) -> list[News]:
        """Return what is known of hosts, with the seconds that are left; forget what is over."""
        now = self._clock()
        left = {key: news.seconds - (now - at) for key, (news, at) in self._news.items()}
        self._news = {key: self._news[key] for key, seconds in left.items() if seconds > 0}
        return [replace(news, seconds=left[key]) for key, (news, _) in self._news.items()]

    def _end(self, number: int) -> None:
        del self._at_work[number], self._attempts[number]
        self._joined.ended(number)

    def _lost(self, number: int, lost: Lost) -> None:
        attempts = self._attempts[number]
        fruitful = self._joined.done_by(number) > attempts.done_at_start
        attempts.fruitless = 1 if fruitful else attempts.fruitless + 1
        if attempts.fruitless < MOST_STARTS:
            self._tell(Notice(f"{lost.what} ({lost.how}) and is started again"))
            del self._at_work[number]
            heappush(self._paused, (self._clock() + self._rules.pause, number))
            return
        self._given_up.append(f"{lost.what} {attempts.fruitless} times ({lost.how})")
        self._end(number)
        if len(self._given_up) >= _MOST_GIVEN_UP:
            raise self._too_often()

    def _too_often(self) -> WorkerError:
        what = "; ".join(self._given_up)
        return WorkerError(f"{what}: what is finished is kept, and the same command goes on")

    def _refuse_long_search(self, places: Collection[Place]) -> None:
        now = self._clock()
        if places or self._at_work:
            self._found_at = now
        elif now - self._found_at > _SEARCH_SECONDS:
            raise WorkerError(
                f"nowhere to carry out parts for {_SEARCH_SECONDS:.0f} s: what is finished is kept,"
                " and the same command goes on"
            )
