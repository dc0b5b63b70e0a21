import os
import sys
from functools import partial

import pytest

from bench.measure import Contender, cpu_seconds, run, take_turns, timed
from bench.records import Sample

ORPHAN_AT_WORK = """
import os, time
if os.fork() == 0:
    while time.process_time() < 0.2: pass
"""
INTERRUPTS_ITS_PARENT = """
import os, pathlib, signal, sys
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
os.kill(os.getppid(), signal.SIGINT)
signal.pause()
"""


def contender(name: str, calls: list[str], **settings) -> Contender:
    def take() -> Sample:
        calls.append(name)
        return Sample(float(len(calls)), 0.0)

    return Contender(name, take, images=1, **settings)


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_a_process_whose_parent_did_not_wait_for_it_counts_too() -> None:
    before = cpu_seconds()
    run(sys.executable, "-c", ORPHAN_AT_WORK)
    assert cpu_seconds() - before >= 0.2


def test_the_memory_that_a_process_held_is_told_even_where_it_is_not_the_first() -> None:
    held = run("true") + 200_000_000
    holds = f"b'x' * {held}"
    assert run(sys.executable, "-c", holds) > held
    starts = f"import subprocess; subprocess.run([{sys.executable!r}, '-c', {holds!r}])"
    assert run(sys.executable, "-c", starts) > held


def test_a_command_that_fails_is_an_error_with_its_last_line() -> None:
    with pytest.raises(RuntimeError, match=r"no such thing$"):
        run(sys.executable, "-c", "raise ValueError('no such thing')")


def test_ctrl_c_leaves_no_process_behind(tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(sys.executable, "-c", INTERRUPTS_ITS_PARENT, tmp_path / "pid")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_contenders_take_turns_in_an_order_that_alternates() -> None:
    calls: list[str] = []
    take_turns([contender(name, calls) for name in "abc"], rounds=3)
    assert "".join(calls) == "abccbaabc"


def test_a_warm_up_does_not_count() -> None:
    calls: list[str] = []
    warm_up = partial(calls.append, "warm-up")
    ((_, samples),) = take_turns([contender("a", calls, warm_up=warm_up)], rounds=1)
    assert calls == ["warm-up", "a"]
    assert len(samples) == 1


def test_a_slow_contender_may_ask_for_fewer_samples() -> None:
    calls: list[str] = []
    take_turns([contender("a", calls, at_most=1)], rounds=5)
    assert calls == ["a"]


def test_the_clock_can_be_of_one_process_alone() -> None:
    readings = iter([5.0, 7.5])
    assert timed(lambda: None, lambda: next(readings)).cpu_seconds == 2.5
