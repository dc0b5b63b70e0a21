"""The contract of executors: every one of them passes these tests.

A new executor adds a line to `ALL_EXECUTORS`; what is true of it alone is tested in a file of its
own, as `test_local_executor` does.
"""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from functools import partial
from typing import TextIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dafre_fast.core.errors import UsageError, WorkerError
from dafre_fast.engine.executors.base import Executor, Loss, Lost, ready
from dafre_fast.engine.executors.choose import DEFAULT, NAMES
from tests.executing import Results, new_executor, run_executor, submit_all
from tests.jobs_for_workers import (
    KillsItsReader,
    die_instead,
    fail_to_initialise,
    give_what_stays,
    initialise_and_note,
    initialise_large,
)
from tests.processes import needs_proc, runs

ALL_EXECUTORS = [
    "local",
]
pytestmark = pytest.mark.parametrize("name", ALL_EXECUTORS)


# Results


def test_every_job_has_its_own_result(name) -> None:
    jobs = [f"job {number}" for number in range(100)]
    results, executor = run_executor(name, submit_all(*jobs), workers=3)
    assert sorted(results) == sorted((job, job.upper()) for job in jobs)
    assert executor.abandoned == []


def test_equal_jobs_have_a_result_each(name) -> None:
    results, _ = run_executor(name, submit_all("same", "same", "same"))
    assert results == [("same", "SAME")] * 3


def test_without_a_job_there_is_no_result_and_no_time_spent_on_any(name) -> None:
    results, executor = run_executor(name, submit_all())
    assert (results, executor.cpu_seconds) == ([], 0.0)


def test_jobs_and_results_of_half_a_megabyte_go_through(name) -> None:
    jobs = [f"{number} " + "x" * 500_000 for number in range(12)]
    results, _ = run_executor(name, submit_all(*jobs))
    assert sorted(results) == sorted((job, job.upper()) for job in jobs)


def test_jobs_submitted_after_a_drain_are_done_as_well(name) -> None:
    async def steps(executor: Executor[str]) -> None:
        for job in "abc":
            await executor.submit(job)
            await executor.drain()

    results, _ = run_executor(name, steps)
    assert results == [("a", "A"), ("b", "B"), ("c", "C")]


def test_most_results_come_while_an_earlier_job_is_under_way(name, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    results: Results = []
    most_done = asyncio.Event()

    def take(more: Results) -> None:
        results.extend(more)
        if len(results) >= 20:
            most_done.set()

    async def main() -> None:
        executor = new_executor(name, results, on_results=take)
        async with executor, asyncio.timeout(60):
            await executor.submit(f"read {gate}")
            writer = await asyncio.to_thread(gate.open, "w")  # opens when the worker reads
            for number in range(30):
                await executor.submit(f"job {number}")
            await most_done.wait()
            assert (f"read {gate}", "") not in results
            writer.close()
            await executor.drain()

    asyncio.run(main())
    assert len({job for job, _ in results}) == len(results) == 31


def test_no_job_waits_behind_another_while_a_worker_has_none(name, tmp_path) -> None:
    gates = [tmp_path / str(number) for number in range(3)]
    for gate in gates:
        os.mkfifo(gate)

    def open_all() -> None:
        for writer in [gate.open("w") for gate in gates]:  # each opens when a worker reads
            writer.close()

    async def steps(executor: Executor[str]) -> None:
        await submit_all(*(f"read {gate}" for gate in gates))(executor)
        await asyncio.to_thread(open_all)

    results, _ = run_executor(name, steps, workers=3)
    assert len(results) == 3


# Exceptions


def test_an_exception_at_a_job_ends_the_run_with_it(name) -> None:
    with pytest.raises(ValueError, match="no such thing"):
        run_executor(name, submit_all("a", "raise"))


def test_an_exception_that_cannot_be_sent_ends_the_run_with_its_text(name) -> None:
    with pytest.raises(WorkerError, match=r"^a worker raised Stays: what stays$"):
        run_executor(name, submit_all("a", "raise-what-stays"))


def test_a_result_that_cannot_be_sent_ends_the_run(name) -> None:
    with pytest.raises(Exception, match="pickle"):
        run_executor(name, submit_all("a"), initialise=ready(give_what_stays))


def test_an_exception_where_results_go_ends_the_run_with_it(name) -> None:
    def refuse(_: object) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run_executor(name, submit_all("a"), on_results=refuse)


# Workers that die, hang, or run out of memory


@pytest.mark.parametrize(
    ("death", "loss"),
    [
        ("segfault", Loss.CRASHED),
        ("exit", Loss.CRASHED),
        ("die", Loss.OUT_OF_MEMORY),  # by SIGKILL, as the kernel kills where memory is short
        ("exhaust", Loss.OUT_OF_MEMORY),
    ],
)
def test_a_worker_that_dies_costs_the_job_it_was_at_and_no_other(name, death, loss) -> None:
    jobs = [f"job {number}" for number in range(20)]
    steps = submit_all(*jobs[:10], death, *jobs[10:])
    results, _ = run_executor(name, steps, memory_bytes=200_000_000)
    found = dict(results)
    assert len(found) == len(results)
    lost = found.pop(death)
    assert isinstance(lost, Lost)
    assert lost.loss is loss
    assert found == {job: job.upper() for job in jobs}


@pytest.mark.slow
@settings(max_examples=12)
@given(
    deaths=st.dictionaries(st.integers(0, 299), st.sampled_from(["die", "segfault"]), max_size=4),
    workers=st.integers(1, 4),
)
def test_wherever_workers_die_every_job_has_one_result(name, deaths, workers) -> None:
    jobs = [f"{deaths.get(number, 'job')} {number}" for number in range(300)]
    results, _ = run_executor(name, submit_all(*jobs), workers=workers)
    assert sorted(job for job, _ in results) == sorted(jobs)
    for job, result in results:
        assert result == job.upper() if job.startswith("job") else isinstance(result, Lost)


def test_a_job_is_tried_again_by_a_worker_that_holds_nothing_else(name, tmp_path) -> None:
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
        executor = new_executor(name, results, on_results=take)
        async with executor, asyncio.timeout(60):
            await executor.submit(f"die-once {died} {gate}")
            for job in others[:8]:  # of these, some are held behind it
                await executor.submit(job)
            with await asyncio.to_thread(gate.open, "w"):  # opens when it is tried again
                for job in others[8:]:
                    await executor.submit(job)
                await others_done.wait()
            await executor.drain()

    asyncio.run(main())
    assert sorted(job for job, _ in results[:-1]) == sorted(others)


def test_a_job_that_is_known_to_be_done_by_a_worker_that_died_is_not_tried_again(name) -> None:
    asked: list[tuple[str, Lost]] = []

    def knows(job: str, lost: Lost) -> str:
        asked.append((job, lost))
        return "done"

    results, _ = run_executor(name, submit_all("segfault", "a"), workers=1, on_death=knows)
    assert [(job, lost.loss) for job, lost in asked] == [("segfault", Loss.CRASHED)]
    assert sorted(results) == [("a", "A"), ("segfault", "done")]


def test_a_job_whose_worker_was_killed_from_outside_is_done_by_another(name, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    results: Results = []

    def kill_reader() -> None:
        with gate.open("w") as writer:  # opens when the worker reads
            os.kill(int(str(results[0][1])), signal.SIGKILL)
            no_reader = select.poll()
            no_reader.register(writer, 0)
            no_reader.poll()
        gate.write_text("done")  # opens when the next worker reads

    async def main() -> None:
        async with new_executor(name, results, workers=1) as executor:
            await executor.submit("pid")
            await executor.drain()
            await executor.submit(f"read {gate}")
            await asyncio.to_thread(kill_reader)
            await executor.drain()

    asyncio.run(main())
    assert results[1:] == [(f"read {gate}", "done")]


def test_an_idle_worker_that_is_killed_is_replaced(name) -> None:
    results: Results = []

    async def main() -> None:
        async with new_executor(name, results, workers=1) as executor:
            await executor.submit("pid")
            await executor.drain()
            os.kill(int(str(results[0][1])), signal.SIGKILL)
            await executor.submit("pid")
            await executor.drain()

    asyncio.run(main())
    assert len({pid for _, pid in results}) == 2


def test_a_job_that_takes_too_long_is_given_up_and_the_others_are_done(name) -> None:
    steps = submit_all("a", "hang", "b", "c")
    results, _ = run_executor(name, steps, workers=1, job_timeout_seconds=1.0)
    assert dict(results) == {"a": "A", "hang": Lost(Loss.TIMED_OUT, "1 s"), "b": "B", "c": "C"}


def test_a_job_may_take_as_much_memory_as_is_allowed(name) -> None:
    steps = submit_all("take 150", "take 250", "take 150")
    results, _ = run_executor(name, steps, memory_bytes=200_000_000)
    assert sorted(results) == [
        ("take 150", "TAKE 150"),
        ("take 150", "TAKE 150"),
        ("take 250", Lost(Loss.OUT_OF_MEMORY, "MemoryError")),
    ]


# Workers that are initialised


def test_each_worker_is_initialised_once_and_every_job_is_done_by_what_came_of_it(
    name, tmp_path
) -> None:
    jobs = [f"job {number}" for number in range(40)]
    results, _ = run_executor(
        name, submit_all(*jobs), initialise=partial(initialise_and_note, str(tmp_path))
    )
    initialised = [path.read_text() for path in tmp_path.iterdir()]
    assert 1 <= len(initialised) <= 2
    assert sorted(job for job, _ in results) == sorted(jobs)
    assert {by for _, by in results} <= {*initialised}


def test_a_worker_that_replaces_a_dead_one_is_initialised_as_well(name, tmp_path) -> None:
    results, _ = run_executor(
        name,
        submit_all("die", "a"),
        workers=1,
        initialise=partial(initialise_and_note, str(tmp_path)),
    )
    assert len([*tmp_path.iterdir()]) >= 2
    assert isinstance(dict(results)["die"], Lost)
    assert dict(results)["a"] in {path.read_text() for path in tmp_path.iterdir()}


def test_what_is_loaded_by_initialise_does_not_count_as_memory_of_a_job(name) -> None:
    results, _ = run_executor(
        name,
        submit_all("take 150", "take 250"),
        workers=1,
        initialise=initialise_large,
        memory_bytes=200_000_000,
    )
    assert dict(results) == {
        "take 150": "TAKE 150",
        "take 250": Lost(Loss.OUT_OF_MEMORY, "MemoryError"),
    }


def test_a_worker_that_cannot_be_initialised_ends_the_run_with_one_clear_error(
    name, tmp_path
) -> None:
    results: Results = []

    async def main() -> None:
        initialise = partial(fail_to_initialise, str(tmp_path))
        async with new_executor(name, results, workers=1, initialise=initialise) as executor:
            await submit_all("a", "b")(executor)
            await executor.drain()

    expected = r"^a worker could not be initialised: FileNotFoundError: no weights$"
    with pytest.raises(WorkerError, match=expected):
        asyncio.run(main())
    assert results == []
    assert len([*tmp_path.iterdir()]) == 1  # it was not tried again


@pytest.mark.parametrize("initialise", [die_instead, KillsItsReader()])
def test_workers_that_all_die_before_their_first_job_end_the_run_with_an_error(
    name, initialise
) -> None:
    results: Results = []

    async def main() -> None:
        async with new_executor(name, results, initialise=initialise) as executor:
            await submit_all("a")(executor)
            await executor.drain()

    with pytest.raises(WorkerError, match=r"no worker can be started.* exit status 1"):
        asyncio.run(main())
    assert results == []


# The end


def test_leaving_early_names_the_jobs_without_a_result(name, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    results: Results = []
    writers: list[TextIO] = []
    executor: Executor[str]

    async def main() -> None:
        nonlocal executor
        executor = new_executor(name, results, workers=1)
        async with executor:
            await executor.submit("a")
            await executor.drain()
            await executor.submit(f"read {gate}")
            await executor.submit("x")
            writers.append(await asyncio.to_thread(gate.open, "w"))  # opens when the worker reads
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(main())
    writers[0].close()
    assert results == [("a", "A")]
    assert sorted(executor.abandoned) == sorted([f"read {gate}", "x"])


def test_a_job_under_way_when_an_exception_comes_may_finish(name, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    results: Results = []
    executor: Executor[str]

    async def main() -> None:
        nonlocal executor
        executor = new_executor(name, results, workers=1)
        async with executor:
            await executor.submit(f"read {gate}")
            writer = await asyncio.to_thread(gate.open, "w")  # opens when the worker reads
            writer.close()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(main())
    assert results == [(f"read {gate}", "")]
    assert executor.abandoned == []


def test_an_error_at_one_job_names_the_jobs_that_others_were_at(name, tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    executor: Executor[str]

    async def main() -> None:
        nonlocal executor
        executor = new_executor(name, [])
        async with executor:
            await executor.submit(f"read {gate}")
            await executor.submit("raise")
            await executor.drain()

    with pytest.raises(ValueError, match="no such thing"):
        asyncio.run(main())
    assert executor.abandoned == [f"read {gate}"]


@needs_proc
@pytest.mark.parametrize("early", [False, True])
def test_no_worker_is_left(name, tmp_path, early) -> None:
    gates = [tmp_path / str(number) for number in range(3)]
    for gate in gates:
        os.mkfifo(gate)
    pids: list[int] = []

    async def main() -> None:
        async with new_executor(name, [], workers=3) as executor:
            await submit_all(*(f"tell-and-wait {gate}" for gate in gates))(executor)
            pids.extend([int(await asyncio.to_thread(gate.read_text)) for gate in gates])
            if early:
                raise RuntimeError
            for gate in gates:
                await asyncio.to_thread(gate.write_text, "go on")
            await executor.drain()

    if early:
        with pytest.raises(RuntimeError):
            asyncio.run(main())
    else:
        asyncio.run(main())
    assert len(set(pids)) == 3
    assert not any(map(runs, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="awaits the end of a process by its descriptor")
def test_ctrl_c_is_left_to_the_parent_which_ends_its_workers(name, tmp_path, short_tmpdir) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.parent_of_a_hanging_worker", gate, name],
        env=os.environ | {"TMPDIR": short_tmpdir},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    worker = os.pidfd_open(int(gate.read_text()))
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal sends it: to all of them
    stdout, stderr = parent.communicate()
    ends = select.poll()
    ends.register(worker, select.POLLIN)
    assert ends.poll(30_000)
    os.close(worker)
    assert (parent.returncode, stdout, stderr) == (130, f"tell-and-hang {gate}\n", "")


def test_cpu_time_of_workers_is_counted(name) -> None:
    began = time.monotonic()
    _, executor = run_executor(name, submit_all("spin 0.2", "spin 0.2", "spin 0.2"))
    processes = 3  # two workers, and what starts them
    assert 0.6 <= executor.cpu_seconds <= processes * (time.monotonic() - began)


# Their names


def test_every_executor_that_can_be_chosen_is_tested_here(name) -> None:
    assert name in NAMES
    assert {*NAMES} == {*ALL_EXECUTORS}
    assert DEFAULT in NAMES


def test_a_name_that_none_has_is_refused_with_those_that_there_are(name) -> None:
    with pytest.raises(UsageError, match=rf"no executor 'slurm'; choose one of: .*{name}"):
        new_executor("slurm", [])
