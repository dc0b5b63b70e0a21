import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs_for_workers import KillsItsReader, work

from dafre_fast.core.errors import WorkerError
from dafre_fast.engine.executors.local import Loss, Lost, Pool

Results = list[tuple[str, str | Lost]]
TestPool = Pool[str, str]
TestPool.__test__ = False


def run_pool(
    steps: Callable[[TestPool], Awaitable[None]],
    *,
    workers: int = 2,
    timeout: float = 60,
    memory: int | None = None,
) -> tuple[Results, TestPool]:
    results: Results = []

    async def main() -> TestPool:
        pool = TestPool(
            work,
            results.extend,
            workers=workers,
            job_timeout_seconds=timeout,
            memory_bytes=memory,
        )
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


@pytest.mark.parametrize(
    ("death", "lost"),
    [
        ("segfault", Lost(Loss.CRASHED, "SIGSEGV")),
        ("exit", Lost(Loss.CRASHED, "exit status 3")),
        ("trap", Lost(Loss.OUT_OF_MEMORY, "SIGTRAP")),
        ("die", Lost(Loss.OUT_OF_MEMORY, "SIGKILL")),
        ("exhaust", Lost(Loss.OUT_OF_MEMORY, "MemoryError")),
    ],
)
def test_a_worker_that_dies_costs_the_job_it_held_and_no_other(death: str, lost: Lost) -> None:
    jobs = [f"job {number}" for number in range(20)]
    results, _ = run_pool(submit_all(*jobs[:10], death, *jobs[10:]), memory=200_000_000)
    assert (death, lost) in results
    assert sorted(result for job, result in results if job != death) == sorted(
        job.upper() for job in jobs
    )


@pytest.mark.slow
@settings(max_examples=12)
@given(
    deaths=st.dictionaries(st.integers(0, 299), st.sampled_from(["die", "segfault"]), max_size=4),
    workers=st.integers(1, 4),
)
def test_wherever_in_a_batch_workers_die_every_job_has_one_result(deaths, workers) -> None:
    jobs = [f"{deaths.get(number, 'job')} {number}" for number in range(300)]
    results, _ = run_pool(submit_all(*jobs), workers=workers)
    assert sorted(job for job, _ in results) == sorted(jobs)
    for job, result in results:
        assert result == job.upper() if job.startswith("job") else isinstance(result, Lost)


def test_a_job_may_take_as_much_memory_as_is_allowed() -> None:
    results, _ = run_pool(submit_all("take 150", "take 250", "take 150"), memory=200_000_000)
    assert sorted(results) == [
        ("take 150", "TAKE 150"),
        ("take 150", "TAKE 150"),
        ("take 250", Lost(Loss.OUT_OF_MEMORY, "MemoryError")),
    ]


def test_what_was_held_behind_a_job_that_kills_is_done_before_what_came_later(tmp_path) -> None:
    jobs = [f"die-once {tmp_path / 'died'}", *(f"job {number}" for number in range(40))]
    results, _ = run_pool(submit_all(*jobs), workers=1)
    assert results == [(job, job.upper()) for job in jobs]


def test_a_job_is_tried_again_by_a_worker_that_holds_nothing_else(tmp_path) -> None:
    died, gate = tmp_path / "died", tmp_path / "gate"
    os.mkfifo(gate)
    others = [f"job {number}" for number in range(60)]
    results: Results = []
    others_done = asyncio.Event()

    def take(more: Results) -> None:
        results.extend(more)
        if len(results) == len(others):
            others_done.set()

    async def main() -> None:
        pool = TestPool(work, take, workers=2, job_timeout_seconds=60)
        async with pool, asyncio.timeout(60):
            await pool.submit(f"die-once {died} {gate}")
            for job in others[:8]:  # of these, some are held behind it
                await pool.submit(job)
            with await asyncio.to_thread(gate.open, "w"):  # opens when it is tried again
                for job in others[8:]:
                    await pool.submit(job)
                await others_done.wait()
            await pool.drain()

    asyncio.run(main())
    assert sorted(job for job, _ in results[:-1]) == sorted(others)


def test_a_job_that_was_finished_by_a_worker_that_died_is_not_tried_again() -> None:
    asked: list[tuple[str, Lost]] = []
    results: Results = []

    def knows(job: str, lost: Lost) -> str:
        asked.append((job, lost))
        return "done"

    async def main() -> None:
        async with TestPool(
            work, results.extend, workers=1, job_timeout_seconds=60, on_death=knows
        ) as pool:
            await submit_all("segfault", "a")(pool)
            await pool.drain()

    asyncio.run(main())
    assert asked == [("segfault", Lost(Loss.CRASHED, "SIGSEGV"))]
    assert results == [("segfault", "done"), ("a", "A")]


def test_a_pool_whose_workers_all_die_at_start_ends_with_an_error() -> None:
    results: Results = []

    async def main() -> None:
        async with TestPool(
            KillsItsReader(), results.extend, workers=2, job_timeout_seconds=60
        ) as pool:
            await pool.submit("a")
            await pool.drain()

    with pytest.raises(WorkerError, match=r"no worker can be started.* exit status 1"):
        asyncio.run(main())
    assert not results


def test_a_server_that_is_killed_is_replaced_with_its_workers() -> None:
    results: Results = []

    async def main() -> None:
        async with TestPool(work, results.extend, workers=2, job_timeout_seconds=60) as pool:
            await pool.submit("server")
            await pool.drain()
            os.kill(int(str(results[0][1])), signal.SIGKILL)
            await submit_all("a", "b", "c")(pool)
            await pool.drain()

    asyncio.run(main())
    assert sorted(results[1:]) == [("a", "A"), ("b", "B"), ("c", "C")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process die with another")
def test_a_worker_that_hangs_dies_with_a_parent_that_is_killed(tmp_path, short_tmpdir) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = [
        sys.executable,
        Path(__file__).resolve().parents[1] / "parent_of_a_hanging_worker.py",
        gate,
    ]
    environment = os.environ | {"TMPDIR": short_tmpdir}
    parent = subprocess.Popen(command, env=environment)
    worker = os.pidfd_open(int(gate.read_text()))
    parent.kill()
    parent.wait()
    ends = select.poll()
    ends.register(worker, select.POLLIN)
    assert ends.poll(30_000)
    os.close(worker)


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
    assert dict(results) == {"a": "A", "hang": Lost(Loss.TIMED_OUT, "1 s"), "b": "B", "c": "C"}


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


def test_cpu_time_of_all_workers_is_counted() -> None:
    _, idle = run_pool(submit_all("x", "x"))
    _, busy = run_pool(submit_all(*["spend 0.5"] * 4))
    assert 2 <= busy.cpu_seconds < idle.cpu_seconds + 3
