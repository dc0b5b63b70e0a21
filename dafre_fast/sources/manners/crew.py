"""Several originals at once, where a source fetches them one by one: as many as the network bears.

Each has a slot, and `dafre_fast.sources.manners.pace` decides how many slots there are. One that
waits for its host or hardly comes leaves its slot to another, so that slow hosts do not slow the
others. All that are under way remain few: where too many wait, further ones of such a host are put
off until the end of the list.
"""

import asyncio
import gc
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

from dafre_fast.core import events
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Take
from dafre_fast.sources.manners.flight import Flight, PutOff, board
from dafre_fast.sources.manners.pace import Pace

_UNDER_WAY_PER_CONNECTION, _MOST_UNDER_WAY = 8, 400
"""Each has two descriptors at most; a process usually has 1,024."""
_MOST_PUT_OFF = 50_000
"""Some 15 MB of what is sought."""
_AT_A_SLOW_HOST = 2
_LOOK_SECONDS = 0.05
_SWEEP_SECONDS = 5.0
"""A failure leaves some 20 kB in cycles (traceback, frame, exception): of 1 in 100 they pile up."""
_FIRST_GRACE_SECONDS, _LEAST_GRACE_SECONDS, _MOST_GRACE_SECONDS = 1.0, 0.15, 2.0
_GRACE = 4.0
"""In multiples of what originals usually take."""


async def concurrently(
    fetch: Callable[[Sought], Awaitable[Fetched]],
    sought: Iterable[Sought],
    take: Take,
    settings: Fetching,
    tell: events.Tell,
) -> None:
    """What one raises ends them all and is raised here, on its own."""
    with _quick_sweeps():
        try:
            await _Crew(fetch, sought, take, settings, tell).work()
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None


@contextmanager
def _quick_sweeps() -> Iterator[None]:
    """Exclude what is loaded by now from garbage collection, or every sweep would be slow, and so
    rare. A process that has excluded objects of its own is left as it is.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Crew:
    """Those who fetch; each takes the next original when it is done with one."""

    def __init__(
        self,
        fetch: Callable[[Sought], Awaitable[Fetched]],
        sought: Iterable[Sought],
        take: Take,
        settings: Fetching,
        tell: events.Tell,
    ) -> None:
        self._fetch, self._take, self._tell = fetch, take, tell
        self._left = iter(sought)
        self._pace = Pace(settings.connections, time.monotonic())
        under_way = min(settings.connections * _UNDER_WAY_PER_CONNECTION, _MOST_UNDER_WAY)
        self._most = max(under_way, settings.connections)
        self._min_rate = settings.min_rate
        self._flights = set[Flight]()
        self._in_slots = self._taking = 0
        self._hosts, self._slow_hosts = set[str](), set[str]()
        self._put_off = deque[Sought]()
        self._at_end = False
        self._usual_seconds: float | None = None
        self._over = False

    async def work(self) -> None:
        self._tell(events.Pace(self._pace.slots, "a start"))
        async with asyncio.TaskGroup() as self._group:
            self._watch = self._group.create_task(self._look_around())
            self._fill()

    def _fill(self) -> None:
        """Someone for each slot that is free, as far as there is something to do."""
        while (
            not self._over
            and self._in_slots + self._taking < self._pace.slots
            and len(self._flights) < self._most
        ):
            flight = Flight(self)
            self._flights.add(flight)
            self._in_slots += 1
            self._group.create_task(self._work(flight))

    async def _work(self, flight: Flight) -> None:
        board(flight)
        try:
            while one := self._next():
                flight.begin(time.monotonic())
                try:
                    fetched = await self._fetch(one)
                except PutOff:
                    self._put_off.append(one)
                    continue
                self._finished(flight)
                await self._take(one, fetched)
                self._in_slots, self._taking = self._in_slots + 1, self._taking - 1
                if self._in_slots + self._taking > self._pace.slots:
                    break
            else:
                self._over = True
        except BaseException:
            self._over = True
            raise
        self._flights.remove(flight)
        self._in_slots -= 1
        if not self._flights:
            self._watch.cancel()

    def _next(self) -> Sought | None:
        for one in self._left:
            return one
        self._at_end = True
        return self._put_off.popleft() if self._put_off else None

    def _finished(self, flight: Flight) -> None:
        now = time.monotonic()
        full = self._in_slots >= self._pace.slots
        if not flight.aside:
            self._slow_hosts.discard(flight.host or "")
            usual, seconds = self._usual_seconds, now - flight.asked
            self._usual_seconds = seconds if usual is None else usual + (seconds - usual) / 16
        self._put(flight, waiting=False, slow=False)
        flight.under_way = False
        self._in_slots, self._taking = self._in_slots - 1, self._taking + 1
        self._changed(self._pace.finished(now, flight.bytes, full=full))

    def comes(self, flight: Flight, host: str, *, free: bool) -> None:
        self._hosts.add(host)
        if flight.host is None and self._is_better_put_off(host, free=free):
            raise PutOff
        if not free:
            self._put(flight, waiting=True, slow=flight.slow)
            self._fill()

    def _is_better_put_off(self, host: str, *, free: bool) -> bool:
        """Where there are other hosts, and enough is under way to such as are slow or waited for.

        Nothing is at the end of the list.
        """
        if self._at_end or len(self._hosts) == 1 or len(self._put_off) >= _MOST_PUT_OFF:
            return False
        if host in self._slow_hosts:
            there = sum(other.host == host and other.slow for other in self._flights)
            if there >= _AT_A_SLOW_HOST:
                return True
        return not free and sum(other.waiting for other in self._flights) >= self._most // 2

    def asks(self, flight: Flight, host: str) -> None:
        flight.host, flight.asked, flight.asking = host, time.monotonic(), True
        flight.look_again(flight.asked)
        self._put(flight, waiting=False, slow=host in self._slow_hosts)
        self._fill()

    def failed(self, flight: Flight) -> None:
        there = sum(other.host == flight.host and not other.aside for other in self._flights)
        share = min(there / max(self._in_slots, 1), 1.0)
        self._changed(self._pace.failed(time.monotonic(), flight.asked, share))

    def _changed(self, why: str | None) -> None:
        if why:
            self._tell(events.Pace(self._pace.slots, why))
            self._fill()

    def _put(self, flight: Flight, *, waiting: bool, slow: bool) -> None:
        before = flight.aside
        flight.waiting, flight.slow = waiting, slow
        self._in_slots += before - flight.aside

    async def _look_around(self) -> None:
        swept = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            self._look(now, self._grace_seconds())
            self._fill()
            if now - swept >= _SWEEP_SECONDS:
                gc.collect()
                swept = now

    def _look(self, now: float, grace: float) -> None:
        """Which are slow: less than `--min-rate`, for some times as long as others take in all."""
        for flight in self._flights:
            seconds = now - flight.looked
            if not flight.under_way or flight.waiting or seconds < grace:
                continue
            slow = flight.fresh_bytes < self._min_rate * seconds
            flight.look_again(now)
            self._put(flight, waiting=False, slow=slow)
            if flight.asking and flight.host:
                (self._slow_hosts.add if slow else self._slow_hosts.discard)(flight.host)

    def _grace_seconds(self) -> float:
        if self._usual_seconds is None:
            return _FIRST_GRACE_SECONDS
        usual = _GRACE * self._usual_seconds
        return min(max(usual, _LEAST_GRACE_SECONDS), _MOST_GRACE_SECONDS)
