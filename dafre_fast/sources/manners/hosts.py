"""Hosts: how many requests each may get, and when.

Each host has a token bucket of requests and a maximum of connections. It gets no requests for as
long as it asks (Retry-After) and, after failures in a row, for a pause that doubles each time
(circuit breaker). A host that never answered gets no patience: while it rests, whoever wants to ask
it is refused at once, with its error.

What one engine learns of a host, the others hear (`manners.news`): all of them leave a host alone
that asks one to wait, and one that is down is tried by the engine that noticed it.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from math import inf, isfinite

from aiolimiter import AsyncLimiter

from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Down, Held, News, Tell, Up, Waited
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching, sharers_of
from dafre_fast.sources.lookup import look_up
from dafre_fast.sources.manners import news as others
from dafre_fast.sources.manners.effort import Effort
from dafre_fast.sources.manners.slots import Slot

PUBLIC_RATE = 5.0
"""Requests per second."""
PUBLIC_CONNECTIONS = 8
FAILURES_UNTIL_DOWN = 10
"""Failures in a row of the host as such: refused, reset, silent, unknown, or status 429 or 5xx."""
_FAILURES_OF_A_STRANGER, _SECONDS_OF_A_STRANGER = 4, 2.0
"""Fewer failures are enough for a host that never answered, if the first is so long ago."""
_FIRST_REST_SECONDS = 2.0
_LONGEST_REST_SECONDS = 60.0
_NOTICEABLE_SECONDS = 0.001


class Reach(IntEnum):
    """The networks from which an address can be reached."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


def reach_of(address: str) -> Reach:
    """Return the reach of an IP address. All addresses that are not global, such as link-local and
    reserved ones, are PRIVATE. Raises ValueError for anything but an IP address.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return Reach.LOOPBACK
    return Reach.PUBLIC if ip.is_global and not ip.is_multicast else Reach.PRIVATE


async def find_reach(host: str, port: int) -> Reach:
    """Return the most public reach among the addresses of a host. A host without any is PUBLIC:
    the request to it will fail.
    """
    try:
        found = await look_up(host, port)
    except OSError:
        return Reach.PUBLIC
    return min(reach_of(str(address.place[0])) for address in found)


def host_name(host: str, port: int) -> str:
    """Return the name under which `Hosts` knows a host."""
    return f"{host}:{port}"


class Breaker:
    """The circuit breaker of one host: closed, open until some time, or half open while one
    request, the trial, is on its way.

    Pure. Callers give all times, in seconds of a monotonic clock.
    """

    def __init__(self) -> None:
        self.failures = 0
        """Failures in a row."""
        self.answered = False
        """Whether it ever answered, be it with an error."""
        self.down_since: float | None = None
        self._failing_since = 0.0
        self._until = 0.0
        self._rests = 0
        self._trials = 0
        self._trial: int | None = None

    def wait(self, now: float) -> float:
        """Return the seconds until a request may go out; infinite during a trial."""
        if self.down_since is None:
            return 0.0
        return inf if self._trial is not None else max(self._until - now, 0.0)

    def begin(self) -> int | None:
        """Note that a request goes out. Return its number if it is a trial, else None."""
        if self.down_since is not None:
            self._trials += 1
            self._trial = self._trials
        return self._trial

    def succeed(self) -> bool:
        """Note that the host answered; return whether it was down until now."""
        was_down = self.down_since is not None
        self.failures, self.down_since, self._trial = 0, None, None
        self.answered = True
        return was_down

    def fail(self, now: float, trial: int | None) -> float:
        """Note that the host failed; return for how many seconds it gets no requests from now on.

        A request that went out before the host was down changes nothing.
        """
        if self.down_since is not None and (trial is None or trial != self._trial):
            return 0.0
        self.failures += 1
        if self.failures == 1:
            self._failing_since = now
        if self.down_since is None:
            if not self._is_enough(now):
                return 0.0
            self.down_since, self._rests = now, 0
        self._trial = None
        rest = min(_FIRST_REST_SECONDS * 2.0 ** min(self._rests, 10), _LONGEST_REST_SECONDS)
        self._rests += 1
        self._until = now + rest
        return rest

    def _is_enough(self, now: float) -> bool:
        """Return whether so many failures mean that the host is down."""
        if self.failures >= FAILURES_UNTIL_DOWN:
            return True
        long_ago = now - self._failing_since >= _SECONDS_OF_A_STRANGER
        return not self.answered and self.failures >= _FAILURES_OF_A_STRANGER and long_ago

    def rest_until(self, until: float, now: float) -> None:
        """Note that another run found the host down: no request before `until`, then a trial."""
        if self._trial is not None:
            return
        if self.down_since is None:
            self.down_since, self._rests = now, 0
        self._until = max(self._until, until)

    def leave(self, trial: int | None) -> None:
        """Note that a request ended and says nothing about the host."""
        if trial == self._trial:
            self._trial = None

    def __repr__(self) -> str:
        closed = self.down_since is None
        state = "closed" if closed else "open" if self._trial is None else "half open"
        return f"<Breaker [{state}, {self.failures} failures in a row]>"


class Host:
    """The state of one host: its rate, its connections, its demands to wait and its failures."""

    def __init__(self, name: str, reach: Reach, settings: Fetching) -> None:
        public, sharers = reach is Reach.PUBLIC, sharers_of(settings)
        rate = settings.rate or (PUBLIC_RATE if public else None)
        rate = rate / sharers if rate else None
        self.name = name
        # One second's worth at once: a rate below 1 still lets a single request through.
        self.limiter = AsyncLimiter(max(rate, 1), max(rate, 1) / rate) if rate else None
        # Those of all hosts together are shared already.
        of_host = settings.connections_per_host or (PUBLIC_CONNECTIONS if public else None)
        self.most = max(of_host // sharers, 1) if of_host else settings.connections
        self.connections = asyncio.Semaphore(self.most)
        self.in_use = 0
        """Connections."""
        self.held_until = 0.0
        self.breaker = Breaker()
        self.failure: Refusal | None = None
        """The failure after which it was down last."""
        self._trial_ended = asyncio.Event()

    def wait(self, now: float) -> float:
        """Return the seconds until it may be asked, as far as it is down or asks to wait."""
        return max(self.held_until - now, self.breaker.wait(now), 0.0)

    def is_free(self, now: float) -> bool:
        """Return whether it can be asked at once."""
        has_capacity = self.limiter is None or self.limiter.has_capacity()
        return has_capacity and not self.connections.locked() and not self.wait(now)

    def end_trial(self) -> None:
        """Wake everyone who waits for the end of a trial."""
        self._trial_ended.set()
        self._trial_ended.clear()

    async def rest(self, seconds: float) -> None:
        """Sleep, but not beyond the end of a trial."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds if isfinite(seconds) else None):
                await self._trial_ended.wait()

    def __repr__(self) -> str:
        now = time.monotonic()
        if self.breaker.down_since is not None:
            state = f"down after {self.breaker.failures} failures"
        elif self.held_until > now:
            state = "asks to wait"
        else:
            state = "free" if self.is_free(now) else "busy"
        return f"<Host {self.name} [{state}, {self.in_use} of {self.most} connections]>"


class Turn:
    """Permission to ask a host once. Its holder says how that went."""

    def __init__(self, host: Host, slot: Slot, tell: Tell) -> None:
        self._host, self._slot, self._tell = host, slot, tell
        self._trial = host.breaker.begin()
        host.in_use += 1

    def answered(self) -> None:
        """Note that the host answered, be it that it is busy or broken."""
        self._host.breaker.answered = True

    def succeeded(self) -> None:
        """Note that the host answers, whatever the answer is."""
        if self._host.breaker.succeed():
            self._tell(Up(self._host.name))
            self._host.end_trial()

    def failed(self, failure: Refusal) -> None:
        """Note that the host as such failed."""
        now, breaker = time.monotonic(), self._host.breaker
        self._slot.host_failed(now)
        if rest := breaker.fail(now, self._trial):
            self._host.failure = Refusal(failure.reason, failure.detail)  # without its traceback
            error = "" if breaker.answered else str(failure)
            self._tell(Down(self._host.name, breaker.failures, rest, error))
            self._host.end_trial()

    def hold(self, seconds: float) -> None:
        """Note that the host asks to get no requests for a while."""
        until = time.monotonic() + seconds
        if until > self._host.held_until:
            self._host.held_until = until
            self._tell(Held(self._host.name, seconds))

    def close(self) -> None:
        """Free the connection. Must be called, however the request ended."""
        self._slot.answered()
        self._host.in_use -= 1
        self._host.connections.release()
        if self._trial is not None:
            self._host.breaker.leave(self._trial)
            self._host.end_trial()


class Hosts:
    """All hosts of a run, by name (`host_name`)."""

    def __init__(self, settings: Fetching, tell: Tell) -> None:
        self._settings, self._tell = settings, tell
        self._hosts: dict[str, Host] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, name: str, reach: Reach) -> None:
        """Add a host, unless it is known."""
        if name in self._hosts:
            return
        self._hosts[name] = Host(name, reach, self._settings)
        with suppress(RuntimeError):  # outside of a loop nobody asks yet
            self._loop = asyncio.get_running_loop()
        for news, at in others.listen(self, name):
            self._hear(news, at)

    async def find(self, host: str, port: int) -> str:
        """Return the name of a host; look up its reach if it is new."""
        name = host_name(host, port)
        if name not in self._hosts:
            self.add(name, await find_reach(host, port))
        return name

    def hear(self, news: News, at: float) -> None:
        """Take over what another run learned at a time; may be called by any thread."""
        if self._loop:
            with suppress(RuntimeError):  # the loop is over
                self._loop.call_soon_threadsafe(self._hear, news, at)

    def _hear(self, news: News, at: float) -> None:
        host = self._hosts.get(news.host)
        if host is None:
            return
        match news:
            case Held(_, seconds):
                host.held_until = max(host.held_until, at + seconds)
            case Down(_, _, seconds, ""):
                # Whoever told makes the trial, and tells how it ended.
                trial = self._settings.stall_timeout
                host.breaker.rest_until(at + seconds + trial, time.monotonic())
                host.end_trial()
            case Up():
                host.breaker.succeed()
                host.end_trial()

    def is_free(self, name: str) -> bool:
        """Return whether a host can be asked at once, as one that is not known yet can."""
        host = self._hosts.get(name)
        return host is None or host.is_free(time.monotonic())

    @asynccontextmanager
    async def turn(self, name: str, effort: Effort | None = None) -> AsyncIterator[Turn]:
        """Wait until a host may be asked once, and keep one of its connections.

        Meanwhile the clock of the effort stops, and its slot is given away. Raises Refusal
        HOST_DOWN if the host is down, or asks to wait, for longer than `--patience`; the reason of
        its failure if it is down and never answered.
        """
        host = self._hosts[name]
        slot = effort.slot if effort else Slot()
        if host.is_free(time.monotonic()):
            turn = await self._wait_for_turn(host, slot)  # no time passes
        else:
            slot.wait()
            with effort.paused() if effort else nullcontext():
                turn = await self._wait_for_turn(host, slot)
        slot.ask(name, time.monotonic())
        try:
            yield turn
        finally:
            turn.close()

    def __repr__(self) -> str:
        return f"<Hosts [{', '.join(map(repr, self._hosts.values()))}]>"

    async def _wait_for_turn(self, host: Host, slot: Slot) -> Turn:
        await host.connections.acquire()
        connected = time.monotonic()
        try:
            await self._rest(host)
            while host.limiter:
                await host.limiter.acquire()
                if not host.wait(time.monotonic()):
                    break
                # Meanwhile the host went down or asked to wait. Requests that wait for that must
                # not all go out at once when it is over.
                await self._rest(host)
            return Turn(host, slot, self._tell)
        except BaseException:
            host.connections.release()
            raise
        finally:
            waited = time.monotonic() - connected
            if waited > _NOTICEABLE_SECONDS:
                self._tell(Waited(host.name, waited))

    async def _rest(self, host: Host) -> None:
        """Wait while the host is down or asks to wait."""
        patience = self._settings.patience
        while seconds := host.wait(now := time.monotonic()):
            if host.held_until - now > patience:
                asks = host.held_until - now
                raise Refusal(Reason.HOST_DOWN, f"{host.name} asks to wait for {asks:,.0f} s")
            down_since = host.breaker.down_since
            if host.failure and not host.breaker.answered:
                detail = f"{host.name} never answered: {host.failure.detail}"
                raise Refusal(host.failure.reason, detail)
            if down_since is not None:
                left = down_since + patience - now
                if left <= 0:
                    down = now - down_since
                    raise Refusal(Reason.HOST_DOWN, f"{host.name} fails since {down:,.0f} s")
                seconds = min(seconds, left)
            await host.rest(seconds)
