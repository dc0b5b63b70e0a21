"""Who may be asked, and when: the manners of all that goes over a network.

Each host has a token bucket of requests, a bound of connections, and is left alone for as long as
it asks (Retry-After) and, after failures in a row, for a while that doubles (circuit breaker).
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import inf, isfinite

from aiolimiter import AsyncLimiter

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Down, Held, Tell, Up, Waited
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners import flight

PUBLIC_RATE = 5.0
PUBLIC_CONNECTIONS = 8
FAILURES_UNTIL_DOWN = 10
"""In a row, from a host as such: refused, reset, silent, unknown, or a status of 429 or 5xx."""
_FIRST_REST_SECONDS = 2.0
_LONGEST_REST_SECONDS = 60.0
_NOTICEABLE_SECONDS = 0.001


class Reach(IntEnum):
    """From where an address can be reached."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


def reach_of(address: str) -> Reach:
    """Of an IP address; whatever is not global, link-local and reserved ones too, is PRIVATE."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return Reach.LOOPBACK
    return Reach.PUBLIC if ip.is_global and not ip.is_multicast else Reach.PRIVATE


async def find_reach(host: str, port: int) -> Reach:
    """Of a host by name: the nearest to the public of its addresses; PUBLIC where it has none, as
    who asks it will find.
    """
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return Reach.PUBLIC
    return min(reach_of(str(place[0])) for *_, place in found)


class Breaker:
    """Of one host: closed, open until some time, or half open while one request tries it.

    Pure: all times are seconds of a monotonic clock, given by who asks.
    """

    def __init__(self) -> None:
        self.failures = 0
        """In a row."""
        self.down_since: float | None = None
        self._until = 0.0
        self._trials = 0
        self._trial: int | None = None

    def wait(self, now: float) -> float:
        """Seconds until a request may go out; infinite where that depends on one on its way."""
        if self.down_since is None:
            return 0.0
        return inf if self._trial is not None else max(self._until - now, 0.0)

    def begin(self) -> int | None:
        """A request goes out for which there is nothing to wait; its number where it is a trial."""
        if self.down_since is not None:
            self._trials += 1
            self._trial = self._trials
        return self._trial

    def succeed(self) -> bool:
        """The host answered, whatever was asked; True where it was down until now."""
        was_down = self.down_since is not None
        self.failures, self.down_since, self._trial = 0, None, None
        return was_down

    def fail(self, now: float, trial: int | None) -> float:
        """Seconds for which the host is left alone from now, 0 where it is not."""
        if self.down_since is not None and (trial is None or trial != self._trial):
            return 0.0  # it was asked before the host went down
        self.failures += 1
        if self.failures < FAILURES_UNTIL_DOWN:
            return 0.0
        if self.down_since is None:
            self.down_since = now
        self._trial = None
        doublings = min(self.failures - FAILURES_UNTIL_DOWN, 10)
        rest = min(_FIRST_REST_SECONDS * float(2**doublings), _LONGEST_REST_SECONDS)
        self._until = now + rest
        return rest

    def leave(self, trial: int | None) -> None:
        """A request ended without a word about the host."""
        if trial == self._trial:
            self._trial = None


class _Host:
    def __init__(self, reach: Reach, settings: Fetching) -> None:
        public = reach is Reach.PUBLIC
        rate = settings.rate or (PUBLIC_RATE if public else None)
        # One second's worth at once: a rate below 1 still lets a single request through.
        self.limiter = AsyncLimiter(max(rate, 1), max(rate, 1) / rate) if rate else None
        usual = PUBLIC_CONNECTIONS if public else settings.connections
        self.connections = asyncio.Semaphore(settings.connections_per_host or usual)
        self.held_until = 0.0
        self.breaker = Breaker()
        self._trial_ended = asyncio.Event()

    def wait(self, now: float) -> float:
        """Seconds until it may be asked, connections and rate aside."""
        return max(self.held_until - now, self.breaker.wait(now), 0.0)

    def is_free(self, now: float) -> bool:
        """Nothing to wait for."""
        has_capacity = self.limiter is None or self.limiter.has_capacity()
        return has_capacity and not self.connections.locked() and not self.wait(now)

    def end_trial(self) -> None:
        """Whoever waits for its end looks again."""
        self._trial_ended.set()
        self._trial_ended.clear()

    async def rest(self, seconds: float) -> None:
        """So long, or until a trial has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds if isfinite(seconds) else None):
                await self._trial_ended.wait()


class Turn:
    """Leave to ask a host once; tells afterwards how it went."""

    def __init__(self, name: str, host: _Host, tell: Tell) -> None:
        self._name, self._host, self._tell = name, host, tell
        self._trial = host.breaker.begin()

    def succeeded(self) -> None:
        """The host answers, whatever it says."""
        if self._host.breaker.succeed():
            self._tell(Up(self._name))
            self._host.end_trial()

    def failed(self) -> None:
        """The host as such failed."""
        flight.failed()
        breaker = self._host.breaker
        if rest := breaker.fail(time.monotonic(), self._trial):
            self._tell(Down(self._name, breaker.failures, rest))
            self._host.end_trial()

    def hold(self, seconds: float) -> None:
        """The host asks for patience: nothing is asked of it meanwhile."""
        until = time.monotonic() + seconds
        if until > self._host.held_until:
            self._host.held_until = until
            self._tell(Held(self._name, seconds))

    def close(self) -> None:
        """Must be called, however it went: the connection is another's then."""
        flight.asked()
        self._host.connections.release()
        if self._trial is not None:
            self._host.breaker.leave(self._trial)
            self._host.end_trial()


class Hosts:
    """All hosts of a run."""

    def __init__(self, settings: Fetching, tell: Tell) -> None:
        self._settings, self._tell = settings, tell
        self._hosts: dict[str, _Host] = {}

    def knows(self, name: str) -> bool:
        return name in self._hosts

    def meet(self, name: str, reach: Reach) -> None:
        """A host that is to be asked for the first time."""
        self._hosts.setdefault(name, _Host(reach, self._settings))

    @asynccontextmanager
    async def turn(self, name: str, waited: Callable[[float], None]) -> AsyncIterator[Turn]:
        """Wait until a host may be asked once, and keep one of its connections. `waited` is told
        the seconds, however the wait ends. Raises Refusal HOST_DOWN where the host is down, or asks
        to wait, for longer than `--patience`.
        """
        host, began = self._hosts[name], time.monotonic()
        try:
            flight.comes(name, free=host.is_free(began))
            turn = await self._wait_for_turn(name, host)
        finally:
            waited(time.monotonic() - began)
        flight.asks(name)
        try:
            yield turn
        finally:
            turn.close()

    async def _wait_for_turn(self, name: str, host: _Host) -> Turn:
        await host.connections.acquire()
        connected = time.monotonic()
        try:
            await self._rest(name, host)
            while host.limiter:
                await host.limiter.acquire()
                if not host.wait(time.monotonic()):
                    break
                # Meanwhile it went down or asked for patience. What all have who wait for that
                # must not be spent at once when it is over.
                await self._rest(name, host)
            return Turn(name, host, self._tell)
        except BaseException:
            host.connections.release()
            raise
        finally:
            waited = time.monotonic() - connected
            if waited > _NOTICEABLE_SECONDS:
                self._tell(Waited(name, waited))

    async def _rest(self, name: str, host: _Host) -> None:
        """Until the host may be asked, as far as it goes down or asks for patience."""
        patience = self._settings.patience
        while seconds := host.wait(now := time.monotonic()):
            if host.held_until - now > patience:
                asks = host.held_until - now
                raise Refusal(Reason.HOST_DOWN, f"{name} asks to wait for {asks:,.0f} s")
            down_since = host.breaker.down_since
            if down_since is not None:
                left = down_since + patience - now
                if left <= 0:
                    raise Refusal(Reason.HOST_DOWN, f"{name} fails since {now - down_since:,.0f} s")
                seconds = min(seconds, left)
            await host.rest(seconds)
