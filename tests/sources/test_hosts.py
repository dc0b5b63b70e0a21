"""Whom to ask, and when. On Linux every address of 127.0.0.0/8 is a host of its own."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core import events
from dafre_fast.core.errors import Refusal
from dafre_fast.core.events import Down, Event, Held, Up
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.interface import Check
from dafre_fast.sources.manners import hosts as module
from dafre_fast.sources.manners import news
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.manners.hosts import FAILURES_UNTIL_DOWN, Breaker, Hosts, Reach, reach_of
from dafre_fast.sources.template import Template
from dafre_fast.sources.transports.http import Http
from tests.sources.loopback import ignore

JPEG = b"\xff\xd8\xff\xda" + bytes(5000) + b"\xff\xd9"


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("127.0.0.1", Reach.LOOPBACK),
        ("127.9.9.9", Reach.LOOPBACK),
        ("::1", Reach.LOOPBACK),
        ("::ffff:127.0.0.1", Reach.LOOPBACK),
        ("10.0.0.1", Reach.PRIVATE),
        ("192.168.1.1", Reach.PRIVATE),
        ("169.254.169.254", Reach.PRIVATE),
        ("0.0.0.0", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("224.0.0.1", Reach.PRIVATE),
        ("fe80::1%eth0", Reach.PRIVATE),
        ("fd00::1", Reach.PRIVATE),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("8.8.8.8", Reach.PUBLIC),
        ("2606:4700::1111", Reach.PUBLIC),
    ],
)
def test_an_address_is_loopback_public_or_private(address, reach) -> None:
    assert reach_of(address) == reach


# The circuit breaker: pure


def down(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_UNTIL_DOWN):
        breaker.fail(at, breaker.begin())
    return breaker


def test_a_host_is_down_after_ten_failures_in_a_row_and_not_after_nine() -> None:
    breaker = Breaker()
    rests = [breaker.fail(5.0, breaker.begin()) for _ in range(FAILURES_UNTIL_DOWN)]
    assert rests == [0.0] * 9 + [2.0]
    assert repr(breaker) == "<Breaker [open, 10 failures in a row]>"
    assert (breaker.down_since, breaker.wait(6.0), breaker.wait(7.0)) == (5.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("answered", "times", "is_down"),
    [
        (False, (0.0, 0.5, 1.0, 2.0), True),
        (False, (0.0, 0.5, 1.0, 1.9), False),
        (False, (0.0, 1.0, 3.0), False),
        (True, (0.0, 0.5, 1.0, 9.0), False),
    ],
)
def test_for_a_host_that_never_answered_four_failures_in_two_seconds_are_enough(
    answered, times, is_down
) -> None:
    breaker = Breaker()
    breaker.answered = answered
    for now in times:
        breaker.fail(now, breaker.begin())
    assert (breaker.down_since is not None) is is_down


def test_one_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker()
    for number in range(100):
        assert breaker.fail(0.0, breaker.begin()) == 0.0
        if number % 9 == 8:
            breaker.succeed()


def test_each_trial_that_fails_doubles_the_rest_up_to_a_minute() -> None:
    breaker, now, rests = down(), 2.0, []
    for _ in range(8):
        rests.append(breaker.fail(now, breaker.begin()))
        now += rests[-1]
    assert rests == [4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


def test_while_a_trial_is_on_its_way_everyone_else_waits_for_its_end() -> None:
    breaker = down()
    trial = breaker.begin()
    assert breaker.wait(1000.0) == inf
    assert repr(breaker) == "<Breaker [half open, 10 failures in a row]>"
    breaker.leave(trial)
    assert breaker.wait(1000.0) == 0.0


def test_failures_of_what_was_asked_before_it_went_down_do_not_make_the_rest_longer() -> None:
    breaker = down()
    assert breaker.fail(1.0, None) == 0.0
    breaker.begin()
    assert breaker.fail(3.0, None) == 0.0
    assert breaker.wait(3.0) == inf


def test_any_answer_ends_it() -> None:
    breaker = down()
    assert breaker.succeed()
    assert (breaker.wait(0.0), breaker.failures, breaker.succeed()) == (0.0, 0, False)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ask", "succeed", "fail", "leave"]),
            st.integers(0, 5),
            st.floats(0, 100),
        ),
        max_size=300,
    )
)
def test_at_no_time_are_two_trials_on_their_way_and_rests_grow_within_bounds(steps) -> None:
    breaker, now, on_their_way, last_rest = Breaker(), 0.0, [], 0.0
    for step, which, seconds in steps:
        now += seconds
        if step == "ask":
            if breaker.wait(now) == 0.0:
                on_their_way.append(breaker.begin())
                trials = [trial for trial in on_their_way if trial is not None]
                assert breaker.down_since is None or len(trials) == len({*trials})
                if breaker.down_since is not None:
                    assert breaker.wait(now) == inf
            continue
        if not on_their_way:
            continue
        trial = on_their_way.pop(which % len(on_their_way))
        if step == "succeed":
            breaker.succeed()
            assert (breaker.wait(now), breaker.down_since) == (0.0, None)
            last_rest = 0.0
        elif step == "leave":
            breaker.leave(trial)
        elif rest := breaker.fail(now, trial):
            assert last_rest <= rest <= 60.0
            assert rest == 60.0 or rest > last_rest
            assert breaker.wait(now) == rest
            last_rest = rest


# Turns at hosts


def met(settings: Fetching, reach: Reach = Reach.LOOPBACK) -> tuple[Hosts, list[Event]]:
    told = list[Event]()

    def tell(event: Event) -> None:
        if not isinstance(event, events.Waited):
            told.append(event)

    hosts = Hosts(settings, tell)
    hosts.add("host", reach)
    return hosts, told


async def ask(hosts: Hosts, effort: Effort | None = None) -> None:
    async with hosts.turn("host", effort) as turn:
        turn.succeeded()


async def fail(hosts: Hosts, times: int = FAILURES_UNTIL_DOWN) -> None:
    for _ in range(times):
        async with hosts.turn("host") as turn:
            turn.answered()
            turn.failed(Refusal(Reason.SERVER_ERROR, "status 500"))


async def done_at_once(*asking: Awaitable[None]) -> int:
    """Number of awaitables that finish without waiting; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in asking]
    for _ in range(10):
        await asyncio.sleep(0)
    done = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return done


@pytest.mark.parametrize(
    ("reach", "rate", "at_once"),
    [
        (Reach.PUBLIC, None, 5),
        (Reach.PUBLIC, 20.0, 20),
        (Reach.PUBLIC, 0.2, 1),
        (Reach.PRIVATE, None, 100),
        (Reach.LOOPBACK, None, 100),
        (Reach.LOOPBACK, 3.0, 3),
    ],
)
def test_a_host_is_asked_at_its_rate_and_no_more_than_a_seconds_worth_comes_at_once(
    reach, rate, at_once
) -> None:
    async def main() -> int:
        hosts, _ = met(Fetching(rate=rate, connections=200), reach)
        return await done_at_once(*(ask(hosts) for _ in range(100)))

    assert asyncio.run(main()) == at_once


@pytest.mark.parametrize(
    ("reach", "per_host", "at_once"),
    [
        (Reach.PUBLIC, None, 8),
        (Reach.LOOPBACK, None, 20),
        (Reach.PUBLIC, 3, 3),
        (Reach.PRIVATE, 3, 3),
    ],
)
def test_a_host_has_so_many_connections_at_once(reach, per_host, at_once) -> None:
    holding = Counter[str]()

    async def hold(hosts: Hosts) -> None:
        async with hosts.turn("host"):
            holding["now"] += 1
            await asyncio.Event().wait()

    async def main() -> None:
        settings = Fetching(connections=20, connections_per_host=per_host, rate=1000.0)
        hosts, _ = met(settings, reach)
        await done_at_once(*(hold(hosts) for _ in range(50)))

    asyncio.run(main())
    assert holding["now"] == at_once


@asynccontextmanager
async def connection_taken(hosts: Hosts) -> AsyncIterator[None]:
    async with hosts.turn("host"):
        yield


@asynccontextmanager
async def rate_spent(hosts: Hosts) -> AsyncIterator[None]:
    await ask(hosts)
    yield


@asynccontextmanager
async def held(hosts: Hosts) -> AsyncIterator[None]:
    async with hosts.turn("host") as turn:
        turn.hold(0.3)
    yield


@asynccontextmanager
async def resting(hosts: Hosts) -> AsyncIterator[None]:
    await fail(hosts)
    yield


@asynccontextmanager
async def tried(hosts: Hosts) -> AsyncIterator[None]:
    await fail(hosts)
    async with hosts.turn("host"):
        yield


OBSTACLES = {
    "connections": (connection_taken, Fetching(connections_per_host=1)),
    "rate": (rate_spent, Fetching(rate=1.0)),
    "Retry-After": (held, Fetching()),
    "rest": (resting, Fetching()),
    "trial": (tried, Fetching()),
}


@pytest.fixture
def short_rests(monkeypatch) -> None:
    monkeypatch.setattr(module, "_FIRST_REST_SECONDS", 0.05)


@pytest.mark.usefixtures("short_rests")
@pytest.mark.parametrize("name", OBSTACLES)
def test_who_waits_and_is_stopped_leaves_nothing_locked_and_tells_how_long_it_was(name) -> None:
    obstacle, settings = OBSTACLES[name]

    async def main() -> None:
        hosts, _ = met(settings)
        efforts = [Effort(settings, Budget(0), ignore) for _ in range(5)]
        async with obstacle(hosts):
            assert await done_at_once(*(ask(hosts, effort) for effort in efforts)) == 0
        assert min(effort.waited for effort in efforts) > 0
        assert 0 < max(effort.waited for effort in efforts) < 10
        await ask(hosts)
        await ask(hosts, efforts[0])

    asyncio.run(main())


@pytest.mark.usefixtures("short_rests")
@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("connections", "busy, 1 of 1 connections"),
        ("rate", "busy, 0 of 16 connections"),
        ("Retry-After", "asks to wait, 0 of 16 connections"),
        ("rest", "down after 10 failures, 0 of 16 connections"),
        ("trial", "down after 10 failures, 1 of 16 connections"),
    ],
)
def test_hosts_show_what_a_request_would_have_to_wait_for(name, state) -> None:
    obstacle, settings = OBSTACLES[name]

    async def main() -> None:
        hosts, _ = met(settings)
        assert repr(hosts) == f"<Hosts [<Host host [free, 0 of {state.split()[-2]} connections]>]>"
        assert hosts.is_free("host")
        async with obstacle(hosts):
            assert repr(hosts) == f"<Hosts [<Host host [{state}]>]>"
            assert not hosts.is_free("host")

    asyncio.run(main())


def test_a_host_that_is_not_known_yet_is_free() -> None:
    hosts, _ = met(Fetching())
    assert hosts.is_free("another")


def test_a_free_host_is_asked_without_a_pause_of_the_effort() -> None:
    async def main() -> None:
        hosts, _ = met(Fetching())
        effort = Effort(Fetching(), Budget(0), ignore)
        await ask(hosts, effort)
        assert effort.waited == 0

    asyncio.run(main())


def test_a_host_is_found_by_name_and_port_with_its_reach() -> None:
    async def main() -> None:
        hosts = Hosts(Fetching(), ignore)
        assert await hosts.find("127.0.0.1", 80) == "127.0.0.1:80"
        assert repr(hosts) == "<Hosts [<Host 127.0.0.1:80 [free, 0 of 16 connections]>]>"

    asyncio.run(main())


def test_a_host_that_asks_to_wait_longer_than_patience_refuses_at_once() -> None:
    async def main() -> list[Event]:
        hosts, told = met(Fetching(patience=10.0))
        async with hosts.turn("host") as turn:
            turn.hold(3600.0)
        with pytest.raises(Refusal, match="3,600 s") as refused:
            await ask(hosts)
        assert refused.value.reason == Reason.HOST_DOWN
        return told

    assert asyncio.run(main()) == [Held("host", 3600.0)]


def test_the_longer_of_two_demands_to_wait_counts() -> None:
    async def main() -> list[Event]:
        hosts, told = met(Fetching(patience=10.0))
        async with hosts.turn("host") as turn:
            turn.hold(3600.0)
            turn.hold(1.0)
        with pytest.raises(Refusal):
            await ask(hosts)
        return told

    assert asyncio.run(main()) == [Held("host", 3600.0)]


@pytest.mark.parametrize(
    "settings", [Fetching(rate=10.0), Fetching(connections_per_host=1)], ids=["rate", "connections"]
)
def test_who_was_queued_before_a_host_asked_to_wait_waits_as_well(settings) -> None:
    async def main() -> None:
        hosts, _ = met(settings)
        async with hosts.turn("host") as turn:
            for _ in range(9 if settings.rate else 0):
                await ask(hosts)
            queued = [asyncio.create_task(ask(hosts)) for _ in range(3)]
            await asyncio.sleep(0)
            turn.hold(0.3)
            until = time.monotonic() + 0.3
        await asyncio.wait(queued, return_when=asyncio.FIRST_COMPLETED)
        assert time.monotonic() >= until - 0.01
        await asyncio.gather(*queued)

    asyncio.run(main())


def test_after_a_demand_to_wait_no_more_than_a_seconds_worth_comes_at_once() -> None:
    async def main() -> None:
        hosts, _ = met(Fetching(rate=10.0, connections=100))
        async with hosts.turn("host") as turn:
            queued = [asyncio.create_task(ask(hosts)) for _ in range(30)]
            turn.hold(0.5)
        await asyncio.wait(queued, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert sum(task.done() for task in queued) <= 11
        await done_at_once(*queued)

    asyncio.run(main())


def test_a_host_that_is_down_for_longer_than_patience_refuses_what_waits_for_it() -> None:
    async def main() -> None:
        hosts, _ = met(Fetching(patience=0.1))
        await fail(hosts)
        with pytest.raises(Refusal, match="host fails") as refused:
            await ask(hosts)
        assert refused.value.reason == Reason.HOST_DOWN

    asyncio.run(main())


@pytest.mark.usefixtures("short_rests")
def test_beyond_all_patience_it_is_still_tried_and_asked_again_when_it_answers() -> None:
    async def main() -> list[Event]:
        hosts, told = met(Fetching(patience=0.0))
        await fail(hosts)
        with pytest.raises(Refusal):
            await ask(hosts)
        await asyncio.sleep(0.06)
        assert await done_at_once(*(ask(hosts) for _ in range(20))) == 20
        return told

    assert asyncio.run(main()) == [Down("host", 10, 0.05), Up("host")]


@pytest.mark.usefixtures("short_rests")
def test_after_a_rest_one_asks_and_the_others_follow_when_it_was_answered() -> None:
    asking = set[int]()
    most = {"before": 0, "after": 0}
    answered = asyncio.Event()

    async def one(hosts: Hosts, number: int) -> None:
        async with hosts.turn("host") as turn:
            asking.add(number)
            when = "after" if answered.is_set() else "before"
            most[when] = max(most[when], len(asking))
            await asyncio.sleep(0.01)
            answered.set()
            turn.succeeded()
            await asyncio.sleep(0.01)
            asking.remove(number)

    async def main() -> None:
        hosts, _ = met(Fetching())
        await fail(hosts)
        await asyncio.gather(*(one(hosts, number) for number in range(8)))

    asyncio.run(main())
    assert most["before"] == 1
    assert most["after"] > 1


@pytest.mark.usefixtures("short_rests")
def test_a_trial_of_which_nothing_is_told_leaves_the_next_one_to_try() -> None:
    async def main() -> list[Event]:
        hosts, told = met(Fetching())
        await fail(hosts)
        async with hosts.turn("host"):
            next_one = asyncio.create_task(ask(hosts))
        await next_one
        return told

    assert asyncio.run(main()) == [Down("host", 10, 0.05), Up("host")]


async def find_nobody(hosts: Hosts) -> None:
    for _ in range(FAILURES_UNTIL_DOWN):
        async with hosts.turn("host") as turn:
            turn.failed(Refusal(Reason.DNS_ERROR, "no such name"))


def test_a_host_that_never_answered_is_named_with_its_error_and_nobody_waits_for_it() -> None:
    async def main() -> list[Event]:
        hosts, told = met(Fetching(patience=600.0))
        await find_nobody(hosts)
        with pytest.raises(Refusal, match="host never answered: no such name") as refused:
            await ask(hosts)
        assert refused.value.reason is Reason.DNS_ERROR
        return told

    assert asyncio.run(main()) == [Down("host", 10, 2.0, "dns_error: no such name")]


@pytest.mark.usefixtures("short_rests")
def test_after_its_rest_a_host_that_never_answered_is_tried_and_then_is_like_any_other() -> None:
    async def main() -> None:
        hosts, told = met(Fetching(patience=600.0))
        await find_nobody(hosts)
        await asyncio.sleep(0.06)
        await ask(hosts)
        assert told[-1] == Up("host")
        await fail(hosts)
        await ask(hosts)  # waits

    asyncio.run(main())


# Hosts over HTTP


class Network:
    """A server on several addresses of the loopback: who was asked for what and when."""

    def __init__(self, answer: Callable[[str, int], web.Response]) -> None:
        """`answer` is told the host, and how often it has been asked."""
        self._answer = answer
        self.asked = list[tuple[str, float]]()
        self.answered = list[tuple[int, float]]()

    async def handle(self, request: web.Request) -> web.Response:
        host = request.url.host or ""
        self.asked.append((host, time.monotonic()))
        response = self._answer(host, sum(asked == host for asked, _ in self.asked))
        self.answered.append((response.status, time.monotonic()))
        return response


@asynccontextmanager
async def serving(network: Network, hosts: int) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 and the next `hosts` - 1 addresses; yields their common port."""
    app = web.Application()
    app.router.add_get("/{path:.*}", network.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = 0
    try:
        for host in range(1, hosts + 1):
            await web.TCPSite(runner, f"127.0.0.{host}", port).start()
            port = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


def fetch(
    network: Network,
    folder: Path,
    ids: list[int],
    settings: Fetching,
    host: str = "127.0.0.{id}",
) -> tuple[list[Fetched], list[Event]]:
    """Fetch ids, each from its own host unless `host` names one. Returns outcomes and events."""
    told, found = list[Event](), list[Fetched]()

    async def take(_: Sought, fetched: Fetched) -> None:
        found.append(fetched)

    async def main() -> None:
        async with serving(network, max(ids) if "{" in host else 1) as port:
            address = f"http://{host}:{port}/{{id}}.jpg"
            transport = Http(settings, Hosts(settings, told.append))
            check = Check(head=sniff, whole=check_end)
            async with Template(address, transport, folder, settings, check, told.append) as source:
                await source.fetch([Sought(str(one), extension="jpg") for one in ids], take)

    asyncio.run(main())
    return found, told


# What other engines learned


@pytest.fixture
def no_news(monkeypatch) -> None:
    monkeypatch.setattr(news, "_news", {})


async def hear(*told: Event) -> None:
    for one in told:
        news.hear(one)
    await asyncio.sleep(0)  # they come by way of the loop


@pytest.mark.usefixtures("no_news")
@pytest.mark.parametrize("told", [Held("host", 30.0), Down("host", 10, 30.0)])
@pytest.mark.parametrize("early", [True, False])
def test_a_host_that_waits_for_one_engine_is_asked_by_no_other(told, early) -> None:
    async def main() -> int:
        if early:
            await hear(told)
        hosts, _ = met(Fetching())
        await hear(told)
        return await done_at_once(ask(hosts))

    assert asyncio.run(main()) == 0


@pytest.mark.usefixtures("no_news")
def test_when_it_answers_one_engine_the_others_ask_it_at_once() -> None:
    async def main() -> tuple[int, int]:
        hosts, _ = met(Fetching())
        await hear(Down("host", 10, 30.0))
        waiting = asyncio.ensure_future(ask(hosts))
        await asyncio.sleep(0)
        await hear(Up("host"))
        async with asyncio.timeout(5):
            await waiting
        return await done_at_once(*(ask(hosts) for _ in range(9))), hosts.is_free("host")

    assert asyncio.run(main()) == (9, True)


@pytest.mark.usefixtures("no_news")
def test_news_of_other_hosts_and_of_those_that_never_answered_change_nothing() -> None:
    async def main() -> int:
        hosts, _ = met(Fetching())
        await hear(Held("other", 30.0), Down("other", 10, 30.0), Down("host", 4, 30.0, "refused"))
        return await done_at_once(ask(hosts))

    assert asyncio.run(main()) == 1


def test_whoever_hears_that_a_host_is_down_tries_it_if_nobody_tells_more() -> None:
    breaker = Breaker()
    breaker.rest_until(12.0, now=2.0)
    assert (breaker.wait(2.0), breaker.wait(12.0)) == (10.0, 0.0)
    trial = breaker.begin()
    breaker.rest_until(99.0, now=13.0)  # news do not undo a trial that is on its way
    assert (trial, breaker.wait(13.0)) == (1, inf)


def busy_once(host: str, times: int, seconds: int = 1) -> web.Response:
    if times == 1 and host == "127.0.0.1":
        return web.Response(status=503, headers={"Retry-After": str(seconds)})
    return web.Response(body=JPEG)


def test_a_host_that_asks_for_a_second_is_asked_for_nothing_for_a_second(tmp_path) -> None:
    network, settings = Network(busy_once), Fetching(connections=4, connections_per_host=1)
    found, told = fetch(network, tmp_path, [*range(1, 9)], settings, host="127.0.0.1")
    assert [one.reason for one in found] == [None] * 8
    assert [event.seconds for event in told if isinstance(event, Held)] == [1.0]
    status, answered = network.answered[0]
    assert status == 503
    assert network.asked[1][1] - answered >= 1.0


@pytest.mark.slow
def test_while_one_host_is_held_the_others_are_asked(tmp_path) -> None:
    network = Network(partial(busy_once, seconds=4))  # the others take far less
    found, _ = fetch(network, tmp_path, [*range(1, 10)], Fetching(connections=1))
    assert [one.key for one in found] == [*map(str, range(2, 10)), "1"]


def test_a_host_that_is_down_is_tried_by_one_until_it_answers_and_no_other_host_waits(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_REST_SECONDS", 0.3)

    def answer(_: str, times: int) -> web.Response:
        return web.Response(status=500) if times <= 11 else web.Response(body=JPEG)

    settings = Fetching(connections=16, retries=4)
    found, told = fetch(Network(answer), tmp_path, [*range(1, 17)], settings, host="127.0.0.1")
    assert [one.reason for one in found] == [None] * 16
    states = [event for event in told if isinstance(event, Down | Up)]
    host = states[0].host
    assert states == [Down(host, 10, 0.3), Down(host, 11, 0.6), Up(host)]


def test_originals_of_a_host_on_which_nobody_listens_are_refused_without_waiting(tmp_path) -> None:
    found = list[Fetched]()
    told = list[Event]()

    async def take(_: Sought, fetched: Fetched) -> None:
        found.append(fetched)

    async def main() -> None:
        settings = Fetching(retries=1, patience=600.0)
        transport = Http(settings, Hosts(settings, told.append))
        check = Check(head=sniff, whole=check_end)
        address = "http://127.0.0.1:9/{id}.jpg"
        async with Template(address, transport, tmp_path, settings, check, told.append) as source:
            await source.fetch([Sought(str(one), extension="jpg") for one in range(300)], take)

    asyncio.run(main())
    assert [one.reason for one in found] == [Reason.NETWORK_ERROR] * 300
    assert "127.0.0.1:9 never answered: " in found[-1].detail
    assert "Connect call failed" in found[-1].detail
    assert "Connect call failed" in next(one.error for one in told if isinstance(one, Down))
