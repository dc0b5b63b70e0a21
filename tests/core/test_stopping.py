"""Signals that stop a command, sent to real processes."""

import signal
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
from dafre_fast.core.stopping import asked_by, end, raise_stopped
{before}
raise_stopped("dafre-fast here")
try:
    print("ready", flush=True)
    {wait}
except KeyboardInterrupt as stop:
    print("cleaning", flush=True)
    sys.stdin.readline()
    print("cleaned up", flush=True)
    end("dafre-fast here", asked_by(stop))
"""
SLEEP = "time.sleep(60)"
REPLACED = (
    r"exec('try: time.sleep(60)\nexcept KeyboardInterrupt: raise KeyboardInterrupt from None')"
)
"""A library that raises its own KeyboardInterrupt."""
DEADLOCK = (  # a call that no signal interrupts
    "import ctypes; lock = ctypes.create_string_buffer(64); C = ctypes.CDLL(None);"
    " C.pthread_mutex_lock(lock); C.pthread_mutex_lock(lock)"
)


def started(wait: str, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT.format(wait=wait, before=before)]
    pipe = subprocess.PIPE
    script = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert script.stdout.readline() == "ready\n"
    return script


STATUSES = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "status"), STATUSES)
def test_the_status_is_that_of_the_signal_whatever_a_library_raises_for_it(number, status) -> None:
    with started(REPLACED) as script:
        script.send_signal(number)
        script.communicate("\n", timeout=60)
    assert script.returncode == status


@pytest.mark.parametrize(("number", "status"), STATUSES)
def test_a_second_signal_does_not_break_off_what_is_cleaned_up(number, status) -> None:
    with started(SLEEP) as script:
        script.send_signal(number)
        assert script.stdout.readline() == "cleaning\n"
        script.send_signal(number)
        script.send_signal(signal.SIGINT)
        out, errors = script.communicate("\n", timeout=60)
    assert (out, script.returncode) == ("cleaned up\n", status)
    said = "dafre-fast here: stopped; what is finished is kept, and the same command goes on\n"
    assert errors == said


def test_a_process_in_a_call_that_notices_no_signal_is_ended_nevertheless() -> None:
    with started(DEADLOCK) as script:
        script.send_signal(signal.SIGINT)
        _, errors = script.communicate(timeout=60)
    assert script.returncode == 130
    assert errors.startswith("dafre-fast here: stopped")


IN_A_CALLBACK = (  # an exception in it is passed on to nobody
    "import weakref; kept = type('', (), {})();"
    " ref = weakref.ref(kept, lambda _: print('gone', flush=True) or time.sleep(60)); del kept;"
    " time.sleep(60)"
)


def test_a_signal_is_not_lost_where_no_exception_is_passed_on() -> None:
    with started(IN_A_CALLBACK) as script:
        assert script.stdout.readline() == "gone\n"
        script.send_signal(signal.SIGINT)
        out, errors = script.communicate("\n", timeout=60)
    assert (out, script.returncode) == ("cleaning\ncleaned up\n", 130)
    assert "Traceback" not in errors


def test_one_that_cleans_up_for_too_long_is_ended_too() -> None:
    before = "from dafre_fast.core import stopping; stopping._TO_END_SECONDS = 0.1"
    with started(SLEEP, before) as script:
        script.send_signal(signal.SIGTERM)
        assert script.wait(timeout=60) == 143


def test_a_signal_that_was_ignored_before_stays_ignored() -> None:
    with started(SLEEP, "signal.signal(signal.SIGHUP, signal.SIG_IGN)") as script:
        script.send_signal(signal.SIGHUP)
        script.send_signal(signal.SIGINT)
        script.communicate("\n", timeout=60)
    assert script.returncode == 130
