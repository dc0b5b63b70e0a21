import asyncio
import os
import select
import signal
from collections.abc import Awaitable, Callable
from typing import TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs_for_workers import work

from dafre_fast.engine.pool import Lost, Pool

Results = list[tuple[str, str | Lost]]
TestPool = Pool[str, str]
TestPool.__test__ = False


def run_pool(
    steps: Callable[[TestPool], Awaitable[None]], *, workers: int = 2, timeout: float = 60
) -> tuple[Results, TestPool]:
    results: Results = []

    async def main() -> TestPool:
        pool = TestPool(work, results.extend, workers=workers, job_timeout_seconds=timeout)
        async with pool:
            await steps(pool)
            await pool.drain()
        return pool

    return results, asyncio.run(main())


def submit_all(*jobs: str) -> Callable[[TestPool], Awaitable[None]]:
    async def steps(pool: TestPool) -> None:
        for job in jobs:
            await pool.submit(job)

    return steps


def test_every_job_has_its_own_result() -> None:
    jobs = [f"job {number}" for number in range(100)]
    results, _ = run_pool(submit_all(*jobs), workers=3)
    assert sorted(results) == sorted((job, job.upper()) for job in jobs)


@pytest.mark.parametrize("death", ["segfault", "die"])
def test_a_worker_that_dies_costs_the_job_it_held_and_no_other(death: str) -> None:
    jobs = [f"job {number}" for number in range(20)]
    results, _ = run_pool(submit_all(*jobs[:10], death, *jobs[10:]))
    assert (death, Lost.CRASHED) in results
    assert sorted(result for job, result in results if job != death) == sorted(
        job.upper() for job in jobs
    )


@settings(max_examples=12, deadline=None)
@given(
    deaths=st.dictionaries(st.integers(0, 299), st.sampled_from(["die", "segfault"]), max_size=4),
    workers=st.integers(1, 4),
)
def test_wherever_in_a_batch_workers_die_every_job_has_one_result(deaths, workers) -> None:
    jobs = [f"{deaths.get(number, 'job')} {number}" for number in range(300)]
    results, _ = run_pool(submit_all(*jobs), workers=workers)
    assert sorted(job for job, _ in results) == sorted(jobs)
    for job, result in results:
        assert result == (job.upper() if job.startswith("job") else Lost.CRASHED)


def test_a_batch_in_the_middle_of_which_a_worker_is_killed_is_done_by_others(tmp_path) -> None:
    jobs = [f"job {number}" for number in range(200)]
    jobs[::40] = [f"die-once {tmp_path / str(number)}" for number in range(5)]
    results, _ = run_pool(submit_all(*jobs))
    assert sorted(results) == sorted((job, job.upper()) for job in jobs)


def test_jobs_and_results_larger_than_a_socket_holds_go_through() -> None:
    jobs = [f"{number} " + "x" * 500_000 for number in range(12)]
    results, _ = run_pool(submit_all(*jobs))
    assert sorted(results) == sorted((job, job.upper()) for job in jobs)


def test_no_job_waits_behind_another_while_a_worker_has_none(tmp_path) -> None:
    gates = [tmp_path / str(number) for number in range(3)]
    for gate in gates:
        os.mkfifo(gate)

    def open_all() -> None:
        for writer in [gate.open("w") for gate in gates]:  # each opens when a worker reads
            writer.close()

    async def steps(pool: TestPool) -> None:
        await submit_all(*(f"read {gate}" for gate in gates))(pool)
        await asyncio.to_thread(open_all)

    results, _ = run_pool(steps, workers=3)
    assert len(results) == 3


def test_a_job_that_takes_too_long_is_given_up_and_the_others_are_done() -> None:
    results, _ = run_pool(submit_all("a", "hang", "b", "c"), workers=1, timeout=1.0)
    assert dict(results) == {"a": "A", "hang": Lost.TIMED_OUT, "b": "B", "c": "C"}


def test_a_job_whose_worker_was_killed_from_outside_is_done_by_another(tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[str | Lost] = []

    def kill_reader() -> None:
        with gate.open("w") as writer:  # opens when the worker reads
            os.kill(int(str(seen[0])), signal.SIGKILL)
            no_reader = select.poll()
            no_reader.register(writer, 0)
            no_reader.poll()
        gate.write_text("done")  # opens when the next worker reads

    async def main() -> None:
        pool = TestPool(
            work,
            lambda pairs: seen.extend(result for _, result in pairs),
            workers=1,
            job_timeout_seconds=60,
        )
        async with pool:
            await pool.submit("pid")
            await pool.drain()
            await pool.submit(f"read {gate}")
            await asyncio.to_thread(kill_reader)
            await pool.drain()

    asyncio.run(main())
    assert seen[1:] == ["done"]


def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    pids: list[str] = []

    async def main() -> None:
        pool = TestPool(
            work,
            lambda pairs: pids.extend(pid for _, pid in pairs),
            workers=1,
            job_timeout_seconds=60,
        )
        async with pool:
            await pool.submit("pid")
            await pool.drain()
            os.kill(int(pids[0]), signal.SIGKILL)
            await pool.submit("pid")
            await pool.drain()

    asyncio.run(main())
    assert len(set(pids)) == 2


def test_an_exception_in_a_worker_ends_the_pool_with_it() -> None:
    with pytest.raises(ValueError, match="no such thing"):
        run_pool(submit_all("a", "raise"))


def test_an_exception_where_results_go_ends_the_pool_with_it() -> None:
    def refuse(_: object) -> None:
        raise OSError("disk full")

    async def main() -> None:
        async with TestPool(work, refuse, workers=2, job_timeout_seconds=60) as pool:
            await pool.submit("a")
            await pool.drain()

    with pytest.raises(OSError, match="disk full"):
        asyncio.run(main())


def test_submit_waits_while_every_worker_has_its_hands_full(tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    submitted = 0

    async def submit_for_ever(pool: TestPool) -> None:
        nonlocal submitted
        while True:
            await pool.submit(f"read {gate}" if submitted == 0 else "x")
            submitted += 1

    async def steps(pool: TestPool) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(submit_for_ever(pool), 0.3)
        await asyncio.to_thread(gate.write_text, "open")

    results, _ = run_pool(steps, workers=1)
    assert 2 <= submitted <= 8
    assert len(results) == submitted


def test_no_more_workers_are_started_than_there_are_jobs() -> None:
    results, _ = run_pool(submit_all("pid", "pid"), workers=64)
    assert 1 <= len({pid for _, pid in results}) <= 2


def test_closing_early_names_the_jobs_under_way_and_leaves_no_process(tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pids: list[str] = []
    writers: list[TextIO] = []
    pool: TestPool

    async def main() -> None:
        nonlocal pool
        pool = TestPool(
            work,
            lambda pairs: pids.extend(pid for _, pid in pairs),
            workers=1,
            job_timeout_seconds=60,
        )
        async with pool:
            await pool.submit("pid")
            await pool.drain()
            await pool.submit(f"read {gate}")
            await pool.submit("x")
            writers.append(await asyncio.to_thread(gate.open, "w"))  # opens when the worker reads
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    writers[0].close()
    assert sorted(pool.abandoned) == sorted([f"read {gate}", "x"])
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids[0]), 0)


def test_an_error_in_one_worker_names_the_jobs_that_others_were_at(tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pool: TestPool

    async def main() -> None:
        nonlocal pool
        pool = TestPool(work, lambda _: None, workers=2, job_timeout_seconds=60)
        async with pool:
            await pool.submit(f"read {gate}")
            await pool.submit("raise")
            await pool.drain()

    with pytest.raises(ValueError, match="no such thing"):
        asyncio.run(main())
    assert pool.abandoned == [f"read {gate}"]


def test_cpu_time_of_workers_is_counted() -> None:
    _, pool = run_pool(submit_all(*("x" for _ in range(50))))
    assert pool.cpu_seconds > 0
