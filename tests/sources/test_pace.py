import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core import events
from dafre_fast.core.errors import OutputError
from dafre_fast.core.events import Event
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners import crew, slots
from dafre_fast.sources.manners.crew import concurrently
from dafre_fast.sources.manners.pace import Pace
from dafre_fast.sources.manners.slots import Slot

SIZE = 50_000


class Network:
    """Simulated: originals of one size, each slot's next one after the other."""

    def __init__(self, most: int, latency: float, at_once: float) -> None:
        """`at_once` are as many as it carries without a queue."""
        self.now, self.pace = 0.0, Pace(most, 0.0)
        self._latency, self._at_once = latency, at_once

    def carry(self, originals: int, *, full: bool = True) -> int:
        """Give back the slots after so many."""
        for _ in range(originals):
            self.now += self._latency / min(self.pace.slots, self._at_once)
            self.pace.finished(self.now, SIZE, full=full)
        return self.pace.slots


def test_slots_grow_to_the_most_while_more_bring_more() -> None:
    assert Network(most=64, latency=0.2, at_once=1000).carry(1000) == 64


def test_the_first_slots_double_each_round_so_that_sixteen_are_reached_after_twenty_four() -> None:
    assert Network(most=16, latency=0.2, at_once=1000).carry(8 + 16) == 16


def test_slots_stay_near_what_the_network_carries_without_a_queue() -> None:
    network = Network(most=400, latency=0.2, at_once=20)
    seen = {network.carry(10) for _ in range(1000)}
    late = {network.carry(10) for _ in range(1000)}
    assert max(seen) <= 3 * 20
    assert 20 / 2 <= min(late) <= max(late) <= 2.5 * 20


def test_a_queue_that_costs_no_time_worth_speaking_of_stops_no_growth() -> None:
    assert Network(most=16, latency=0.001, at_once=2).carry(3000) == 16


def test_slots_that_are_not_all_used_do_not_grow() -> None:
    assert Network(most=64, latency=0.2, at_once=1000).carry(1000, full=False) == 4


def test_slots_that_bring_less_and_less_do_not_grow() -> None:
    pace, now = Pace(64, 0.0), 0.0
    slots = []
    for rate in (10_000, 8_000, 6_400, 5_120, 4_096):
        for _ in range(rate // 19):  # just more than the least time of a round
            now += 1 / rate
            pace.finished(now, SIZE, full=True)
        slots.append(pace.slots)
    assert slots == [8] * 5


@pytest.fixture
def wide() -> Pace:
    """With forty slots, at ten seconds."""
    network = Network(most=40, latency=0.2, at_once=1000)
    assert network.carry(500) == 40
    return network.pace


def test_a_failure_of_the_only_host_halves_the_slots(wide) -> None:
    assert repr(wide) == "<Pace [40 of at most 40 slots, doubling]>"
    assert wide.failed(20.0, asked=19.0, share=1.0)
    assert repr(wide) == "<Pace [20 of at most 40 slots, one by one]>"


def test_failures_of_what_was_asked_before_the_last_halving_change_nothing(wide) -> None:
    wide.failed(20.0, asked=19.0, share=1.0)
    assert [wide.failed(20.1, asked=asked, share=1.0) for asked in (18.0, 19.9)] == [None, None]
    assert wide.slots == 20
    wide.failed(20.2, asked=20.1, share=1.0)
    assert wide.slots == 10


def test_a_failing_host_loses_half_of_its_share_and_no_other_host_any(wide) -> None:
    wide.failed(20.0, asked=19.0, share=0.1)
    assert wide.slots == 38


def test_after_a_failure_slots_grow_one_by_one(wide) -> None:
    wide.failed(20.0, asked=19.0, share=1.0)
    seen = set()
    for number in range(500):
        wide.finished(20.0 + number / 100, SIZE, full=True)
        seen.add(wide.slots)
    assert seen == {*range(20, max(seen) + 1)}
    assert max(seen) > 23


@given(
    st.integers(1, 50),
    st.lists(
        st.tuples(
            st.sampled_from(["finished", "failed"]),
            st.floats(0, 10),
            st.integers(0, 10**9),
            st.floats(0, 1),
            st.booleans(),
        ),
        max_size=200,
    ),
)
def test_slots_stay_between_one_and_the_most_and_every_change_has_its_reason(most, told) -> None:
    pace, now = Pace(most, 0.0), 0.0
    for what, seconds, size, share, full in told:
        now += seconds
        before = pace.slots
        if what == "finished":
            why = pace.finished(now, size, full=full)
        else:
            why = pace.failed(now, now - seconds, share)
        assert 1 <= pace.slots <= most
        assert (why is not None) == (pace.slots != before)


# Several at once


class Job:
    """What is fetched: counts who is under way, and waits for what a test opens."""

    def __init__(self) -> None:
        self.under_way, self.most = set[str](), 0
        self.outcomes = list[str]()
        self.told = list[Event]()
        self.open = asyncio.Event()

    def first_host(self, sought: Sought) -> str | None:
        return f"host {sought.key}"

    def is_free(self, _: str) -> bool:
        return True

    async def fetch_one(self, sought: Sought, slot: Slot) -> Fetched:
        self.under_way.add(sought.key)
        self.most = max(self.most, len(self.under_way))
        try:
            await self.download(sought.key, slot)
        finally:
            self.under_way.remove(sought.key)
        return Fetched(key=sought.key)

    async def download(self, _key: str, _slot: Slot) -> None:
        await asyncio.sleep(0)

    async def take(self, sought: Sought, _: Fetched) -> None:
        self.outcomes.append(sought.key)

    async def run(self, keys: object, **settings: int) -> None:
        sought = (Sought(str(key)) for key in keys)
        await concurrently(self, sought, self.take, Fetching(**settings), self.told.append)


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(crew, "_LOOK_SECONDS", 0.01)
    for name in ("_FIRST_GRACE_SECONDS", "_LEAST_GRACE_SECONDS"):
        monkeypatch.setattr(slots, name, 0.01)


def run(job: Callable[[], Job], *args: object, **settings: int) -> Job:
    async def main() -> Job:
        made = job()
        await made.run(*args, **settings)
        return made

    return asyncio.run(main())


def test_every_original_has_one_outcome() -> None:
    job = run(Job, range(500), connections=16)
    assert sorted(map(int, job.outcomes)) == [*range(500)]


def test_nothing_sought_is_nothing_done() -> None:
    assert run(Job, [], connections=16).outcomes == []


class Network20Ms(Job):
    async def download(self, _: str, slot: Slot) -> None:
        await asyncio.sleep(0.02)
        slot.received(SIZE)


def test_all_connections_are_used_in_the_end_and_never_more() -> None:
    job = run(Network20Ms, range(600), connections=16)
    assert job.most == 16
    paces = [event.connections for event in job.told if isinstance(event, events.Pace)]
    assert paces == sorted(paces)
    assert paces[-1] == 16


class Failing(Network20Ms):
    def first_host(self, _: Sought) -> str | None:
        return "host"

    async def download(self, key: str, slot: Slot) -> None:
        slot.ask("host", time.monotonic())
        await super().download(key, slot)
        slot.host_failed(time.monotonic())


def test_where_all_requests_fail_one_at_a_time_is_left() -> None:
    job = run(Failing, range(100), connections=16)
    assert job.told[-1] == events.Pace(1, "a host failed")


class ThreeStuck(Job):
    """The first three hang until all others are there."""

    async def download(self, key: str, slot: Slot) -> None:
        slot.ask(f"host {key}", time.monotonic())
        if int(key) < 3:
            await self.open.wait()
        slot.received(SIZE)

    async def take(self, sought: Sought, fetched: Fetched) -> None:
        await super().take(sought, fetched)
        if len(self.outcomes) == 97:
            assert self.under_way == {"0", "1", "2"}
            self.open.set()


@pytest.mark.usefixtures("impatient")
def test_those_that_are_stuck_leave_their_slots_to_others() -> None:
    job = run(ThreeStuck, range(100), connections=2)
    assert len(job.outcomes) == 100


class ThreeWaiting(ThreeStuck):
    async def download(self, key: str, slot: Slot) -> None:
        if int(key) < 3:
            slot.wait()
            await self.open.wait()


def test_those_that_wait_for_their_host_leave_their_slots_at_once(monkeypatch) -> None:
    monkeypatch.setattr(slots, "_FIRST_GRACE_SECONDS", 1e9)
    assert len(run(ThreeWaiting, range(100), connections=2).outcomes) == 100


class AllStuck(Job):
    def __init__(self) -> None:
        super().__init__()
        self.four = asyncio.Event()

    async def download(self, _key: str, _slot: Slot) -> None:
        if len(self.under_way) == 4:
            self.four.set()
        if len(self.under_way) == 16:
            asyncio.get_running_loop().call_later(0.1, self.open.set)
        await self.open.wait()


@pytest.mark.usefixtures("impatient")
def test_where_all_are_stuck_eight_times_the_connections_are_under_way_at_most() -> None:
    job = run(AllStuck, range(100), connections=2)
    assert (job.most, len(job.outcomes)) == (16, 100)


class OneSlowHost(Job):
    """Of which every tenth is: it hangs until the others are there."""

    def first_host(self, sought: Sought) -> str | None:
        return "quick" if int(sought.key) % 10 else "slow"

    async def download(self, key: str, slot: Slot) -> None:
        slow = int(key) % 10 == 0
        slot.ask("slow" if slow else "quick", time.monotonic())
        if slow:
            await self.open.wait()
        else:
            await asyncio.sleep(0.001)
            slot.received(SIZE)

    async def take(self, sought: Sought, fetched: Fetched) -> None:
        await super().take(sought, fetched)
        if len(self.outcomes) == 90:
            self.open.set()


@pytest.mark.usefixtures("impatient")
def test_a_host_that_is_known_to_be_slow_takes_no_more_slots() -> None:
    assert len(run(OneSlowHost, range(100), connections=2).outcomes) == 100


class HalfAtAHostThatIsDown(Job):
    """Until the other half is there: more than may be under way at once."""

    def first_host(self, sought: Sought) -> str | None:
        return "down" if int(sought.key) % 2 else "up"

    def is_free(self, host: str) -> bool:
        return host == "up" or self.open.is_set()

    async def download(self, key: str, slot: Slot) -> None:
        if int(key) % 2 and not self.open.is_set():
            slot.wait()
            await self.open.wait()
        slot.ask("down" if int(key) % 2 else "up", time.monotonic())
        slot.received(SIZE)

    async def take(self, sought: Sought, fetched: Fetched) -> None:
        await super().take(sought, fetched)
        if len(self.outcomes) == 100:
            assert all(int(key) % 2 == 0 for key in self.outcomes)
            self.open.set()


def test_what_too_many_already_wait_for_is_put_off_to_the_end_of_the_list() -> None:
    job = run(HalfAtAHostThatIsDown, range(200), connections=2)
    assert sorted(map(int, job.outcomes)) == [*range(200)]
    assert job.most <= 16


class BusyWorkers(Job):
    async def take(self, sought: Sought, fetched: Fetched) -> None:
        self.under_way.add(sought.key)
        self.most = max(self.most, len(self.under_way))
        await asyncio.sleep(0.001)
        self.under_way.remove(sought.key)
        await super().take(sought, fetched)


@pytest.mark.usefixtures("impatient")
def test_those_who_wait_for_busy_workers_keep_their_slots() -> None:
    job = run(BusyWorkers, range(300), connections=4)
    assert (job.most, len(job.outcomes)) == (4, 300)


class FullDisk(ThreeStuck):
    async def take(self, sought: Sought, fetched: Fetched) -> None:
        await super().take(sought, fetched)
        if len(self.outcomes) == 5:
            raise OutputError("full")


@pytest.mark.usefixtures("impatient")
def test_what_one_raises_ends_all_and_is_raised_as_it_is() -> None:
    async def main() -> None:
        job = FullDisk()
        with pytest.raises(OutputError, match="full"):
            await job.run(range(100), connections=2)
        assert job.under_way == set()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_whoever_stops_it_leaves_nobody_at_work() -> None:
    async def main() -> None:
        job = AllStuck()
        task = asyncio.create_task(job.run(range(100), connections=4))
        await job.four.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert job.under_way == set()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def broken_list() -> Iterator[int]:
    yield 1
    raise OutputError("no more")


def test_what_the_list_raises_is_raised() -> None:
    with pytest.raises(OutputError, match="no more"):
        run(Job, broken_list(), connections=2)
