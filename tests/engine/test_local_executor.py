"""Behaviour of the local executor alone; `test_executors` has the contract of all executors."""

import asyncio
import os
import select
import signal
import subprocess
import sys

import pytest

from dafre_fast.engine.executors import local
from dafre_fast.engine.executors.base import Executor, Loss, Lost
from tests.executing import Results, Steps, new_executor, submit_all
from tests.executing import run_executor as run_any


def run_executor(steps: Steps, **changes: object) -> tuple[Results, Executor[str]]:
    return run_any("local", steps, **changes)


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
def test_the_signal_or_status_that_a_worker_ended_with_is_named(death: str, lost: Lost) -> None:
    results, _ = run_executor(submit_all(death), memory_bytes=200_000_000)
    assert results == [(death, lost)]


def test_jobs_held_behind_a_job_that_kills_are_done_before_later_ones(tmp_path) -> None:
    jobs = [f"die-once {tmp_path / 'died'}", *(f"job {number}" for number in range(40))]
    results, _ = run_executor(submit_all(*jobs), workers=1)
    assert results == [(job, job.upper()) for job in jobs]


def test_a_batch_in_the_middle_of_which_a_worker_is_killed_is_done_by_others(tmp_path) -> None:
    jobs = [f"job {number}" for number in range(200)]
    jobs[::40] = [f"die-once {tmp_path / str(number)}" for number in range(5)]
    results, _ = run_executor(submit_all(*jobs))
    assert sorted(results) == sorted((job, job.upper()) for job in jobs)


def test_a_server_that_is_killed_is_replaced_with_its_workers() -> None:
    results: Results = []

    async def main() -> None:
        async with new_executor("local", results) as executor:
            await executor.submit("server")
            await executor.drain()
            os.kill(int(str(results[0][1])), signal.SIGKILL)
            await submit_all("a", "b", "c")(executor)
            await executor.drain()

    asyncio.run(main())
    assert sorted(results[1:]) == [("a", "A"), ("b", "B"), ("c", "C")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process die with another")
def test_a_worker_that_hangs_dies_with_a_parent_that_is_killed(tmp_path, short_tmpdir) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    environment = os.environ | {"TMPDIR": short_tmpdir}
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.parent_of_a_hanging_worker", gate, "local"], env=environment
    )
    worker = os.pidfd_open(int(gate.read_text()))
    parent.kill()
    parent.wait()
    ends = select.poll()
    ends.register(worker, select.POLLIN)
    assert ends.poll(30_000)
    os.close(worker)


def test_submit_waits_while_every_worker_holds_as_many_jobs_as_it_may(tmp_path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    submitted = 0

    async def submit_for_ever(executor: Executor[str]) -> None:
        nonlocal submitted
        while True:
            await executor.submit(f"read {gate}" if submitted == 0 else "x")
            submitted += 1

    async def steps(executor: Executor[str]) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(submit_for_ever(executor), 0.3)
        await asyncio.to_thread(gate.write_text, "open")

    results, _ = run_executor(steps, workers=1)
    assert 2 <= submitted <= 8
    assert len(results) == submitted


@pytest.mark.parametrize("job", ["x", "x" * 500_000], ids=["small", "larger than a socket holds"])
def test_a_worker_that_runs_out_of_jobs_or_room_need_not_wait_for_a_round(job, monkeypatch) -> None:
    monkeypatch.setattr(local, "_ROUND_SECONDS", 40.0)
    results: Results = []
    most_done = asyncio.Event()

    def take(more: Results) -> None:
        results.extend(more)
        if len(results) >= 12:
            most_done.set()

    async def main() -> None:
        executor = new_executor("local", results, on_results=take, workers=1)
        async with executor, asyncio.timeout(30):
            await submit_all(*[job] * 4)(executor)  # as many as are there in the first round
            submitting = asyncio.create_task(submit_all(*[job] * 20)(executor))
            await most_done.wait()
            submitting.cancel()

    asyncio.run(main())
    assert len(results) >= 12


def test_no_more_workers_are_started_than_there_are_jobs() -> None:
    results, _ = run_executor(submit_all("pid", "pid"), workers=64)
    assert 1 <= len({pid for _, pid in results}) <= 2


def test_a_server_has_what_is_preloaded_and_this_process_has_not(tmp_path) -> None:
    """`preload` is followed by the server only, once: its workers are forked from it."""
    script = tmp_path / "preloading.py"
    script.write_text(PRELOADING)
    run = [sys.executable, script]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    (tmp_path / "preloaded.py").write_text(PRELOADED)
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
    calls, *parents = done.stdout.split()
    assert calls == "1"
    assert len({*parents}) == 1


PRELOADED = """
import os

calls = []

def call():
    calls.append(os.getpid())

def job(number):
    return f"{len(calls)} {os.getppid()} {calls[0]}"
"""

PRELOADING = """
import asyncio, os, sys
from preloaded import calls, job
from dafre_fast.engine.executors.base import Spec, ready
from dafre_fast.engine.executors.choose import create

async def main():
    results = []
    spec = Spec(
        initialise=ready(job),
        on_results=results.extend,
        workers=2,
        job_timeout_seconds=60,
        preload=("preloaded:call", "no_such_module"),
    )
    async with create(spec) as executor:
        for number in range(4):
            await executor.submit(number)
        await executor.drain()
    assert not calls
    assert "DAFRE_FAST_FORK_SERVER" not in os.environ
    (said,) = {result for _, result in results}
    print(said)

if __name__ == "__main__":
    asyncio.run(main())
"""
