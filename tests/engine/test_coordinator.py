"""The coordinator of parts, on drawn clusters whose nodes fail; their clock is their own."""

import resource
from collections import Counter

import pytest

from bench.benchmarks.coordinator import DrawnCluster
from dafre_fast.core.errors import BusyError, SourceError, WorkerError
from dafre_fast.core.events import (
    Advanced,
    Asked,
    Began,
    Down,
    Ended,
    Event,
    Held,
    News,
    Notice,
    Pace,
    Up,
)
from dafre_fast.engine.coordinator import (
    Failed,
    Finished,
    Job,
    Lost,
    Message,
    Place,
    Rules,
    Start,
    carry_out_parts,
)

GIGABYTE, KIB = 1_000_000_000, 1024
ON_NODES = Rules(pause=15.0, joins_late=True)


class Scripted:
    """Places, by the second; each attempt at a part tells what `tells` gives for it."""

    def __init__(self, tells, places=lambda _: 2) -> None:
        self.tells, self.count, self.second = tells, places, 0
        self.started: list[tuple[int, Start, Job]] = []
        self.at_work: dict[int, list[Message]] = {}
        self.heard: list[tuple[int, News]] = []
        self.told: list[Event] = []

    def carry_out(self, parts: int, rules: Rules = ON_NODES) -> list[Event]:
        self.starts = Counter()
        clock = lambda: float(self.second)  # noqa: E731
        carry_out_parts(self.job_of, parts, self, self.told.append, rules, clock)
        return self.told

    def job_of(self, start: Start) -> Job:
        self.current = start
        return Job("", ())

    def all(self) -> list[Place]:
        return [Place(f"node {number}", 1) for number in range(self.count(self.second))]

    def start(self, number: int, place: Place, job: Job) -> None:
        self.started.append((self.second, self.current, job))
        self.at_work[number] = [*self.tells(self.current)]

    def tell(self, number: int, news: News) -> None:
        self.heard.append((number, news))

    def messages(self):
        self.second += 1
        for number, messages in [*self.at_work.items()]:
            message = messages.pop(0)
            if not messages:
                del self.at_work[number]
            yield number, message

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.told if isinstance(event, Notice)]


def ten_images(_: Start) -> list[Message]:
    begun = [Began("images", 10), Asked(10, 0, 40)]
    return [begun, [Advanced((None,) * 10)], Finished()]


LOST = Lost("part 1 was lost on node 0", "the node died")


@pytest.mark.slow
def test_every_part_of_a_great_run_is_done_on_nodes_that_fail() -> None:
    parts, cluster, counts = 30_000, DrawnCluster(100), Counter()

    def count(event: Event) -> None:
        counts[type(event)] += len(event.reasons) if isinstance(event, Advanced) else 1

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
    cluster.carry_out(parts, count)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB - before
    assert cluster.finished == {*range(1, parts + 1)}
    assert {*cluster.done.values()} == {10_000}
    assert cluster.starts.total() > parts, "no node failed"
    assert cluster.most_at_once <= 100
    assert counts[Began] == counts[Ended] == 1
    assert grown < GIGABYTE


def test_images_are_counted_once_although_their_part_was_lost() -> None:
    told: list[Event] = []
    DrawnCluster(3, failures=5, images=200).carry_out(30, told.append)
    assert told[0] == Began("images", 6000)
    counted = [event for event in told if isinstance(event, Advanced)]
    assert sum(len(event.reasons) for event in counted) == 6000
    assert told[-1] == Ended()


def test_a_part_goes_on_where_an_earlier_run_was() -> None:
    begun = [Began("images", 10, 4), Asked(10, 4, 40)]
    told = Scripted(lambda _: [begun, [Advanced((None,) * 6)], Finished()]).carry_out(4)
    earlier = [event for event in told if isinstance(event, Advanced) and event.earlier]
    assert earlier == [Advanced((None,) * 4, earlier=True)] * 4
    assert [event for event in told if isinstance(event, Asked)][-1] == Asked(40, 16)


def test_there_are_as_many_parts_at_work_as_nodes_and_those_that_join_have_their_share() -> None:
    cluster = Scripted(ten_images, lambda second: 1 if second < 4 else 3)
    cluster.carry_out(7)
    assert [second for second, _, _ in cluster.started] == [0, 3, 4, 4, 6, 7, 7]


def test_a_lost_part_waits_until_nothing_is_left_of_it_and_goes_before_others() -> None:
    cluster = Scripted(lambda one: [LOST] if one.number == 1 and not one.before else [Finished()])
    cluster.carry_out(60, Rules(pause=5.0, joins_late=True))
    starts = [(second, one.number) for second, one, _ in cluster.started]
    assert [second for second, number in starts if number == 1] == [0, 6]
    assert starts[-1][1] == 60
    assert cluster.notices == ["part 1 was lost on node 0 (the node died) and is started again"]


def test_a_part_that_is_always_lost_is_given_up_when_the_others_are_done() -> None:
    cluster = Scripted(lambda one: [LOST] if one.number == 1 else ten_images(one))
    what = r"part 1 was lost on node 0 4 times \(the node died\): what is finished is kept"
    with pytest.raises(WorkerError, match=what):
        cluster.carry_out(4)
    assert {one.number for _, one, _ in cluster.started} == {1, 2, 3, 4}


def test_a_part_that_gets_further_each_time_is_not_given_up() -> None:
    def further(start: Start) -> list[Message]:
        begun = [Began("images", 10), Asked(10, start.before, 10)]
        return [begun, [Advanced((None,))], LOST if start.before < 9 else Finished()]

    cluster = Scripted(further)
    cluster.carry_out(1)
    assert len(cluster.started) == 10


def test_a_run_whose_parts_are_all_lost_ends_soon() -> None:
    cluster = Scripted(lambda _: [LOST])
    with pytest.raises(WorkerError, match="what is finished is kept"):
        cluster.carry_out(30_000)
    assert len({one.number for _, one, _ in cluster.started}) < 50


def test_an_error_of_one_part_is_that_of_the_run() -> None:
    with pytest.raises(SourceError, match="not be asked"):
        Scripted(lambda _: [Failed(SourceError("must not be asked"))]).carry_out(4)


def test_a_lock_that_a_killed_run_still_holds_is_waited_for() -> None:
    busy = Failed(BusyError("parts/1-2: another run is at work here"))
    cluster = Scripted(lambda one: [Finished() if one.before else busy])
    cluster.carry_out(2)
    assert [second for second, _, _ in cluster.started] == [0, 0, 16, 16]


def test_a_lock_that_another_run_holds_for_long_ends_the_run() -> None:
    busy = Failed(BusyError("parts/1-2: another run is at work here"))
    with pytest.raises(WorkerError, match="another run is at work here"):
        Scripted(lambda _: [busy]).carry_out(1)


def test_without_any_node_a_run_ends_after_five_minutes() -> None:
    cluster = Scripted(ten_images, lambda _: 0)
    with pytest.raises(WorkerError, match="nowhere to carry out parts for 300 s"):
        cluster.carry_out(4)
    assert 300 < cluster.second < 310


def test_no_more_parts_ask_a_host_than_it_has_connections_for() -> None:
    cluster = Scripted(ten_images, lambda _: 5)
    cluster.carry_out(6, Rules(at_once=3, pause=15.0, joins_late=True))
    assert [second for second, _, _ in cluster.started] == [0, 0, 0, 3, 3, 3]
    assert {one.sharers for _, one, _ in cluster.started} == {3}


def test_shares_of_a_host_never_add_up_to_more_than_one_as_nodes_join_and_leave() -> None:
    cluster = DrawnCluster(7, images=200, failures=5)

    def check(_: Event) -> None:
        assert sum(1 / sharers for sharers in cluster.sharers.values()) <= 1.000_001

    cluster.carry_out(40, check, Rules(at_once=16, pause=15.0, joins_late=True))
    assert len(cluster.finished) == 40


def test_what_a_part_learns_of_a_host_the_others_are_told() -> None:
    held, down = Held("host", 60.0), Down("host", 3, 30.0)

    def tells(one: Start) -> list[Message]:
        first = [[held, down], [Up("host")], Finished()]
        return first if one.number == 1 else [[Pace(2, "")], [], [], [], Finished()]

    cluster = Scripted(tells)
    cluster.carry_out(3)
    assert [news for number, news in cluster.heard if number == 2] == [held, down, Up("host")]
    late = next(job for _, one, job in cluster.started if one.number == 3)
    assert late.news == [Held("host", 58.0)]
