"""Who may be asked, and when: the manners of all that goes over a network.

Each host has a token bucket of requests, a bound of connections, and is left alone for as long as
it asks (Retry-After) and, after failures in a row, for a while that doubles (circuit breaker).
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiolimiter import AsyncLimiter

from dafre_fast.model.errors import Refusal
from dafre_fast.model.events import Down, Held, Tell, Up
from dafre_fast.model.reason import Reason
from dafre_fast.model.settings import Fetching

PUBLIC_RATE = 5.0
PUBLIC_CONNECTIONS = 8
FAILURES_UNTIL_DOWN = 10
"""In a row, from a host as such: refused, reset, silent, unknown, or a status of 429 or 5xx."""
_FIRST_REST_SECONDS = 2.0
_LONGEST_REST_SECONDS = 60.0


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

    All times are seconds of a monotonic clock, given by who asks.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._until = 0.0
        self._trying = False
        self.down_since: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until a request may go out; 0 where it may now, and who is told so must tell of
        its end by `succeed`, `fail` or `leave`.
        """
        if self.down_since is None:
            return 0.0
        if now < self._until:
            return self._until - now
        if self._trying:
            return _FIRST_REST_SECONDS / 4
        self._trying = True
        return 0.0

    def succeed(self) -> bool:
        """True where the host was down until now."""
        was_down = self.down_since is not None
        self.failures, self.down_since, self._trying = 0, None, False
        return was_down

    def leave(self) -> None:
        """The request ended without a word about the host."""
        self._trying = False

    def fail(self, now: float) -> float:
        """Seconds for which the host is left alone from now, 0 where it is not."""
        self.failures += 1
        if self.failures < FAILURES_UNTIL_DOWN:
            return 0.0
        if self.down_since is not None and not self._trying:
            return 0.0  # it was asked before it went down
        self.down_since = now if self.down_since is None else self.down_since
        self._trying = False
        doublings = min(self.failures - FAILURES_UNTIL_DOWN, 10)
        rest = min(_FIRST_REST_SECONDS * float(2**doublings), _LONGEST_REST_SECONDS)
        self._until = now + rest
        return rest


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


class Turn:
    """Leave to ask a host once; tells afterwards how it went."""

    def __init__(self, name: str, host: _Host, tell: Tell) -> None:
        self._name, self._host, self._tell = name, host, tell
        self._told = False

    def succeeded(self) -> None:
        """The host answers, whatever it says."""
        self._told = True
        if self._host.breaker.succeed():
            self._tell(Up(self._name))

    def failed(self) -> None:
        """The host as such failed."""
        self._told = True
        breaker = self._host.breaker
        if rest := breaker.fail(time.monotonic()):
            self._tell(Down(self._name, breaker.failures, rest))

    def hold(self, seconds: float) -> None:
        """The host asks for patience: nothing is asked of it meanwhile."""
        until = time.monotonic() + seconds
        if until > self._host.held_until:
            self._host.held_until = until
            self._tell(Held(self._name, seconds))

    def close(self) -> None:
        if not self._told:
            self._host.breaker.leave()


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
        the seconds. Raises Refusal HOST_DOWN where that takes longer than `--patience`.
        """
        host, began = self._hosts[name], time.monotonic()
        async with host.connections:
            try:
                await self._until_it_may_be_asked(name, host)
            finally:
                waited(time.monotonic() - began)
            turn = Turn(name, host, self._tell)
            try:
                yield turn
            finally:
                turn.close()

    async def _until_it_may_be_asked(self, name: str, host: _Host) -> None:
        if host.limiter:
            await host.limiter.acquire()
        while True:
            now = time.monotonic()
            patience = self._settings.patience
            held = host.held_until - now
            if held > patience:
                raise Refusal(Reason.HOST_DOWN, f"{name} asks to wait for {held:,.0f} s")
            down_since = host.breaker.down_since
            if down_since is not None and now - down_since > patience:
                raise Refusal(Reason.HOST_DOWN, f"{name} failed for {now - down_since:,.0f} s")
            wait = held if held > 0 else host.breaker.wait(now)
            if wait <= 0:
                return
            await asyncio.sleep(wait)
