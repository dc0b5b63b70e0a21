"""The schedule: it assigns jobs to workers."""

import pytest

from dafre_fast.engine.executors.schedule import Schedule, Worker


def new_schedule(*jobs: str, limit: int = 2, workers: int = 0) -> Schedule[str]:
    """A schedule with `workers` workers that are ready and hold nothing."""
    schedule = Schedule[str](limit)
    for _ in range(workers):
        schedule.add_worker().ready = True
    for job in jobs:
        schedule.add(job)
    return schedule


def held(worker: Worker[str]) -> list[str]:
    return [held.job for held in worker.held]


@pytest.mark.parametrize(
    ("jobs", "limit", "running", "missing"),
    [
        (0, 4, 0, 0),
        (1, 4, 0, 1),
        (3, 4, 0, 3),
        (9, 4, 0, 4),
        (1, 4, 1, 0),  # the idle one takes it
        (3, 4, 1, 2),
        (3, 1, 1, 0),
    ],
)
def test_a_worker_is_started_for_each_job_that_no_idle_one_takes(
    jobs, limit, running, missing
) -> None:
    schedule = new_schedule(*"abcdefghi"[:jobs], limit=limit, workers=running)
    assert schedule.missing() == missing


def test_jobs_are_handed_out_evenly_and_in_their_order() -> None:
    schedule = new_schedule(*"abcdefghi", workers=2)
    first, second = schedule.workers
    assert schedule.hand_out(now=1.0).jobs == {first: [*"aceg"], second: [*"bdfh"]}
    assert schedule.hand_out(now=2.0).jobs == {}
    assert (first.first_since, second.first_since) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "most"),
    [
        ([], 4),  # nothing is known of these jobs
        ([0.02], 10),
        ([0.02, 0.04], 7),
        ([5.0], 2),  # one to do, and one to go on with
        ([0.0], 512),
    ],
)
def test_a_worker_holds_the_jobs_of_about_a_fifth_of_a_second(seconds, most) -> None:
    schedule = new_schedule(*map(str, range(2000)), limit=1, workers=1)
    (worker,) = schedule.workers
    schedule.hand_out(0.0)
    schedule.finish(worker, seconds, now=0.1)
    schedule.hand_out(0.1)
    assert len(worker.held) == max(most, 4 - len(seconds))


def test_the_time_of_a_job_is_the_mean_of_the_last_ones() -> None:
    schedule = new_schedule(*map(str, range(2000)), limit=1, workers=1)
    (worker,) = schedule.workers
    for seconds in [1.0] * 5 + [0.02] * 500:
        schedule.hand_out(0.0)
        schedule.finish(worker, [seconds], now=0.1)
    schedule.hand_out(0.1)
    assert len(worker.held) == 10


def test_the_last_jobs_are_handed_out_in_ever_smaller_parts() -> None:
    schedule = new_schedule(*map(str, range(64)), workers=2)
    first, second = schedule.workers
    schedule.hand_out(0.0)
    schedule.finish(first, [0.01] * 4, 0.1)
    schedule.finish(second, [0.01] * 4, 0.1)
    parts = []
    while not schedule.is_empty:
        handed = schedule.hand_out(0.1)
        parts.append((len(handed.jobs[first]), handed.more))
        for worker in schedule.workers:
            schedule.finish(worker, [0.01] * len(worker.held), 0.1)
    assert parts == [(20, True), (4, True), (2, True), (2, False)]


def test_a_job_counts_as_worked_on_from_when_the_one_before_it_is_known_to_be_finished() -> None:
    schedule = new_schedule(*"abcd", limit=1, workers=1)
    (worker,) = schedule.workers
    schedule.hand_out(0.0)
    schedule.finish(worker, [0.1, 0.1], now=0.3)
    assert (held(worker), worker.first_since) == (["c", "d"], 0.3)


def test_a_schedule_is_full_when_as_many_jobs_wait_as_workers_can_hold() -> None:
    schedule = new_schedule(limit=2)
    for number in range(8):
        assert not schedule.is_full
        schedule.add(str(number))
    assert schedule.is_full


def test_a_schedule_is_empty_when_every_job_has_a_result() -> None:
    schedule = new_schedule("a", workers=1)
    assert not schedule.is_empty
    schedule.hand_out(0.0)
    assert not schedule.is_empty
    schedule.finish(schedule.workers[0], [0.1], 0.1)
    assert schedule.is_empty


def test_the_first_job_of_a_worker_that_died_is_to_blame_and_the_others_come_next() -> None:
    schedule = new_schedule(*"abcdef", limit=1, workers=1)
    (worker,) = schedule.workers
    schedule.hand_out(0.0)
    blamed = schedule.remove(worker)
    assert blamed
    assert (blamed.job, schedule.workers) == ("a", [])
    successor = schedule.add_worker()
    assert schedule.hand_out(0.1).jobs == {successor: [*"bcde"]}


def test_no_job_is_to_blame_for_a_worker_that_was_not_ready() -> None:
    schedule = new_schedule(*"ab", limit=1)
    worker = schedule.add_worker()
    schedule.hand_out(0.0)
    assert schedule.remove(worker) is None
    assert schedule.hand_out(0.1).jobs == {}
    assert [*schedule.unfinished()] == ["a", "b"]


def test_a_second_attempt_goes_to_an_idle_worker_which_gets_nothing_else() -> None:
    schedule = new_schedule(*"abc", workers=2)
    first, second = schedule.workers
    schedule.hand_out(0.0)
    blamed = schedule.remove(first)
    assert blamed
    assert schedule.retry(blamed)
    third = schedule.add_worker()
    assert schedule.hand_out(0.1).jobs == {third: ["a"], second: ["c"]}
    schedule.add("d")
    schedule.finish(second, [0.1], 0.2)
    assert schedule.hand_out(0.2).jobs == {second: ["d"]}
    assert not third.may_take(99)


def test_there_is_no_third_attempt() -> None:
    schedule = new_schedule("a", limit=1)
    for expected in (True, False):
        schedule.add_worker().ready = True
        schedule.hand_out(0.0)
        blamed = schedule.remove(schedule.workers[0])
        assert blamed
        assert schedule.retry(blamed) is expected
    assert schedule.is_empty


def test_a_worker_is_overdue_when_it_is_ready_and_has_been_at_one_job_for_too_long() -> None:
    schedule = new_schedule(*"abc", limit=3, workers=2)
    ready, idle = schedule.workers
    schedule.hand_out(0.0)
    schedule.finish(idle, [0.5], 0.5)
    starting = schedule.add_worker()
    schedule.add("d")
    schedule.hand_out(0.5)
    assert held(starting) == [] or held(idle) == []
    assert schedule.overdue(1.0, seconds=1.0) == []
    assert schedule.overdue(1.1, seconds=1.0) == [ready]


def test_all_jobs_without_a_result_are_known() -> None:
    schedule = new_schedule(*"abcdefgh", limit=1, workers=1)
    schedule.hand_out(0.0)
    schedule.finish(schedule.workers[0], [0.1], 0.1)
    blamed = schedule.remove(schedule.workers[0])
    assert blamed
    schedule.retry(blamed)
    schedule.add_worker()
    schedule.hand_out(0.2)
    assert sorted(schedule.unfinished()) == [*"bcdefgh"]
    assert {one.job for one in schedule.under_way()} == {"b"}
