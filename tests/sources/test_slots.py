"""Which downloads count as running. Pure: times are given, nothing runs."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.slots import Slot, Slots

SIZE = 50_000


class Crew:
    """Opens slots at once wherever one is free, as the real crew does."""

    def __init__(self, connections: int = 4) -> None:
        self.reasons = list[str | None]()
        self.slots = Slots(Fetching(connections=connections, min_rate=1000), 0.0, self.changed)
        self.started = list[Slot]()
        self.fill()

    def changed(self, why: str | None) -> None:
        self.reasons.append(why)
        self.fill()

    def fill(self) -> None:
        while self.slots.is_one_free:
            slot = self.slots.open()
            slot.begin(0.0)
            self.started.append(slot)

    def ask(self, *hosts: str) -> None:
        for slot, host in zip(self.started, hosts, strict=False):
            slot.ask(host, 0.0)


def test_the_first_four_downloads_hold_a_slot_each() -> None:
    crew = Crew()
    crew.ask("a", "b", "c", "d")
    assert repr(crew.slots) == (
        "<Slots [4 of 4 held, 0 handing over | 4 under way, 0 waiting, 0 slow]>"
    )
    assert repr(crew.started[0]) == "<Slot [held, a, 0 bytes]>"


def test_a_download_that_waits_gives_its_slot_to_another() -> None:
    crew = Crew()
    crew.started[0].wait()
    assert repr(crew.slots) == (
        "<Slots [4 of 4 held, 0 handing over | 5 under way, 1 waiting, 0 slow]>"
    )
    assert repr(crew.started[0]) == "<Slot [waiting, 0 bytes]>"


def test_a_download_whose_turn_has_come_takes_its_slot_back() -> None:
    crew = Crew()
    crew.started[0].wait()
    crew.started[0].ask("a", 1.0)
    assert repr(crew.slots) == (
        "<Slots [5 of 4 held, 0 handing over | 5 under way, 0 waiting, 0 slow]>"
    )


def test_a_download_that_gets_hardly_any_bytes_gives_its_slot_to_another() -> None:
    crew = Crew()
    crew.ask("slow", "b", "c", "d")
    for slot in crew.started[1:]:
        slot.received(SIZE)
    crew.slots.look(10.0)
    assert repr(crew.slots) == (
        "<Slots [4 of 4 held, 0 handing over | 5 under way, 0 waiting, 1 slow]>"
    )
    assert repr(crew.started[0]) == "<Slot [slow, slow, 0 bytes]>"


def test_a_slow_download_that_gets_bytes_again_takes_its_slot_back() -> None:
    crew = Crew()
    crew.ask("slow", "b", "c", "d")
    crew.slots.look(10.0)
    crew.started[0].received(SIZE)
    crew.slots.look(20.0)
    assert not crew.started[0].is_given_away


def test_a_download_at_a_host_known_to_be_slow_holds_no_slot_from_the_start() -> None:
    crew = Crew()
    crew.ask("slow")
    crew.slots.look(10.0)
    another = crew.started[1]
    another.ask("slow", 10.0)
    assert repr(another) == "<Slot [slow, slow, 0 bytes]>"


def test_at_most_eight_downloads_per_connection_are_under_way() -> None:
    crew = Crew(connections=2)
    for _ in range(100):
        crew.started[-1].wait()
    assert len(crew.started) == 16


def test_an_original_that_is_handed_over_keeps_its_slot_in_use() -> None:
    crew = Crew()
    crew.slots.finish(crew.started[0], 1.0)
    assert not crew.slots.is_one_free
    assert repr(crew.started[0]) == "<Slot [idle]>"
    assert crew.slots.resume()


def test_a_failure_of_the_host_leaves_fewer_slots_and_one_too_many_is_closed() -> None:
    crew = Crew()
    crew.ask("a", "a", "a", "a")
    crew.started[0].host_failed(1.0)
    assert (crew.slots.count, crew.reasons[-1]) == (2, "a host failed")
    crew.slots.finish(crew.started[0], 1.0)
    assert not crew.slots.resume()
    crew.slots.close(crew.started[0])
    assert repr(crew.slots) == (
        "<Slots [3 of 2 held, 0 handing over | 3 under way, 0 waiting, 0 slow]>"
    )


# Which downloads should start now.


def waiting(crew: Crew, count: int) -> None:
    for _ in range(count):
        crew.started[-1].wait()


def slow(crew: Crew, count: int) -> None:
    for slot in crew.started[:count]:
        slot.ask("busy", 0.0)
    crew.slots.look(10.0)


@pytest.mark.parametrize(
    ("obstacle", "count", "free", "starts"),
    [
        (waiting, 0, False, True),
        (waiting, 15, False, True),
        (waiting, 16, False, False),
        (waiting, 16, True, True),
        (slow, 1, True, True),
        (slow, 2, True, False),
    ],
)
def test_a_download_starts_unless_too_many_wait_or_are_slow_at_its_host(
    obstacle: Callable[[Crew, int], None], count: int, free: bool, starts: bool
) -> None:
    crew = Crew()
    crew.slots.should_start("other", free=True)
    obstacle(crew, count)
    assert crew.slots.should_start("busy", free=free) is starts


def test_the_only_host_is_always_asked() -> None:
    crew = Crew()
    waiting(crew, 32)
    assert crew.slots.should_start("only", free=False)


def test_a_slot_of_its_own_has_nothing_to_share() -> None:
    slot = Slot()
    slot.begin(0.0)
    slot.wait()
    slot.ask("host", 1.0)
    slot.host_failed(2.0)
    assert repr(slot) == "<Slot [held, 0 bytes]>"


@given(
    st.integers(1, 6),
    st.lists(
        st.tuples(
            st.sampled_from(["wait", "ask", "look", "receive", "fail", "finish", "resume"]),
            st.integers(0, 50),
            st.sampled_from("abc"),
            st.floats(0, 5),
        ),
        max_size=150,
    ),
)
def test_whatever_happens_the_slots_held_are_those_not_given_away(connections, steps) -> None:
    crew, now, handing_over = Crew(connections), 0.0, list[Slot]()
    for step, which, host, seconds in steps:
        now += seconds
        running = [slot for slot in crew.started if slot.under_way]
        if step == "look":
            crew.slots.look(now)
        elif step == "resume" and handing_over:
            slot = handing_over.pop()
            if crew.slots.resume():
                slot.begin(now)
            else:
                crew.slots.close(slot)
                crew.started.remove(slot)
        elif running and step != "resume":
            slot = running[which % len(running)]
            if step == "finish":
                crew.slots.finish(slot, now)
                handing_over.append(slot)
            elif step == "ask":
                slot.ask(host, now)
            elif step == "fail":
                slot.host_failed(now)
            elif step == "wait":
                slot.wait()
            else:
                slot.received(SIZE)
        held = sum(slot.under_way and not slot.is_given_away for slot in crew.started)
        assert repr(crew.slots).startswith(
            f"<Slots [{held} of {crew.slots.count} held, {len(handing_over)} handing over"
        )
        assert len(crew.started) <= max(8 * connections, connections)
