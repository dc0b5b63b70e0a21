"""A coroutine is run to its end whether a loop runs already or not; Ctrl-C is a real signal."""

import asyncio
import subprocess
import sys
import threading

import pytest

from dafre_fast.engine.loops import run


async def answer() -> tuple[int, int]:
    await asyncio.sleep(0)
    return 42, threading.get_ident()


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("why")


def test_without_a_running_loop_the_result_comes_from_this_thread() -> None:
    assert run(answer(), asyncio.SelectorEventLoop) == (42, threading.get_ident())


def test_inside_a_running_loop_the_result_comes_from_another_thread_that_ends() -> None:
    async def caller() -> tuple[int, int]:
        return run(answer(), asyncio.SelectorEventLoop)

    before = threading.active_count()
    result, thread = asyncio.run(caller())
    assert result == 42
    assert thread != threading.get_ident()
    assert threading.active_count() == before


def test_an_exception_reaches_the_caller_inside_a_running_loop() -> None:
    async def caller() -> None:
        run(fail(), asyncio.SelectorEventLoop)

    with pytest.raises(ValueError, match="why"):
        asyncio.run(caller())


def interrupted_within(caller: str) -> subprocess.CompletedProcess[str]:
    """A script whose coroutine interrupts its process and then waits for ever."""
    script = f"""
import asyncio, os, signal
from dafre_fast.engine.loops import run
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored

async def wait():
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)

async def inside():
    run(wait(), asyncio.SelectorEventLoop)

try:
    {caller}
except KeyboardInterrupt:
    print("interrupted")
"""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "caller",
    [
        "run(wait(), asyncio.SelectorEventLoop)",
        "asyncio.run(inside())",
        # a loop that leaves Ctrl-C to Python, as in a notebook
        "asyncio.new_event_loop().run_until_complete(inside())",
    ],
    ids=["no loop", "asyncio.run", "loop of a notebook"],
)
def test_ctrl_c_cancels_the_coroutine_which_cleans_up_before_the_caller_goes_on(caller) -> None:
    done = interrupted_within(caller)
    assert done.stdout.splitlines() == ["cleaned up", "interrupted"], done.stderr


def test_a_task_that_is_cancelled_meanwhile_cancels_the_coroutine() -> None:
    cleaned = []

    async def wait(task: asyncio.Task[None]) -> None:
        task.cancel()  # from the other thread, while the task's own loop waits
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    async def caller() -> None:
        task = asyncio.current_task()
        assert task
        run(wait(task), asyncio.SelectorEventLoop)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(caller())
    assert cleaned == [True]
