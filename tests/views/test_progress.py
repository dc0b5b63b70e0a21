import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from itertools import islice

import pytest

from dafre_fast.core.events import (
    Advanced,
    Began,
    Doing,
    Down,
    Ended,
    Failed,
    Held,
    Notice,
    Outcome,
    Up,
)
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched
from dafre_fast.views import progress
from dafre_fast.views.progress import Progress

LONG = "a-very-long-name-of-a-host-of-which-there-are-some.and-its-domain-is-long-too.example:443"


@pytest.fixture
def said(capsys):
    def lines(*events) -> list[str]:
        shown = Progress()
        for event in events:
            shown(event)
        return capsys.readouterr().err.splitlines()

    return lines


def test_a_host_that_is_down_and_up_again_is_said_in_a_line_each(said) -> None:
    assert said(Down(LONG, failures=10, seconds=4.0), Up(LONG)) == [
        f"{LONG}: paused for 4 s after 10 failures in a row",
        f"{LONG}: answers again",
    ]


def test_a_host_that_asks_to_wait_is_said_with_the_time(said) -> None:
    (line,) = said(Held("host:80", 30.0))
    assert re.fullmatch(r"host:80: asks to wait 30 s, until \d\d:\d\d:\d\d", line)


def test_a_host_that_asks_for_years_is_said_in_a_short_line(said) -> None:
    assert said(Held("host:80", 1e300)) == ["host:80: asks to wait for more than a day"]


def test_a_host_that_asks_again_and_again_is_said_once_and_every_host_is(said) -> None:
    again = [Held("host:80", seconds) for seconds in (1.0, 1.0, 1.5, 30.0)]
    lines = said(*again, Held("other:80", 1.0), Held("host:80", 300.0))
    assert [line.partition(" s,")[0] for line in lines] == [
        "host:80: asks to wait 1",
        "other:80: asks to wait 1",
        "host:80: asks to wait 300",
    ]


def test_a_failed_attempt_is_not_said(said) -> None:
    assert said(Failed("http://host/5.png", 1, Reason.SERVER_ERROR, "503")) == []


def test_a_notice_is_shown_as_it_is_whatever_it_looks_like(said) -> None:
    assert said(Notice("[bold]:smile: 5[/bold]")) == ["[bold]:smile: 5[/bold]"]


def test_the_live_line_names_the_three_most_frequent_reasons(said) -> None:
    reasons = [Reason.NOT_FOUND, Reason.FORBIDDEN, Reason.TOO_SLOW, Reason.SERVER_ERROR]
    counted = (None, *reasons, *reasons[:3], *reasons[:2], reasons[0])
    (line,) = said(Began("originals", 20, 5), Advanced(counted), Ended())
    assert line.startswith("originals ")
    assert "16/20" in line
    assert "10 refused: 4 not_found, 3 forbidden, 2 too_slow" in line
    assert "MB" not in line


def test_the_live_line_shows_bytes_if_some_were_fetched(said) -> None:
    fetched = Outcome(Fetched("5", attempts=1, bytes=2_500_000))
    found = Outcome(Fetched("6", bytes=2_500_000))
    (line,) = said(Began("originals", 20, 5), fetched, found, Advanced((None, None)), Ended())
    assert "2.5 MB" in line


def test_each_stage_has_a_line_with_its_own_counts_and_words(said) -> None:
    first = Began("images", 3), Advanced((None, None, Reason.CORRUPT)), Ended()
    images, files = said(*first, Began("files", 1, bad="found"), Advanced((None,)), Ended())
    assert ("3/3" in images, "1 refused: 1 corrupt" in images) == (True, True)
    assert ("1/1" in files, "0 found" in files) == (True, True)


def test_a_stage_that_an_exception_leaves_open_ends_with_the_context(capsys) -> None:
    with Progress() as shown:
        shown(Began("images", 3))
    assert "0/3" in capsys.readouterr().err


def test_events_outside_a_stage_are_ignored(said) -> None:
    assert said(Advanced((None,)), Outcome(Fetched("5", attempts=1, bytes=5)), Ended()) == []


# Lines every so often, in a log and in a terminal.


@pytest.fixture
def soon(monkeypatch) -> None:
    """Make the pauses between lines short."""
    monkeypatch.setattr(progress, "_SOON_SECONDS", 0.01)
    monkeypatch.setattr(progress, "_FIRST_REPORTS", (0.01, 0.01))
    monkeypatch.setattr(progress, "_REPORT_SECONDS", 0.01)


class Lines(io.StringIO):
    """Standard error of which lines can be awaited."""

    def await_lines(self, number: int) -> list[str]:
        end = time.monotonic() + 30
        while self.getvalue().count("\n") < number and time.monotonic() < end:
            time.sleep(0.005)
        return self.getvalue().splitlines()


@pytest.mark.usefixtures("soon")
def test_a_log_gets_a_line_every_so_often_though_nothing_happens(monkeypatch) -> None:
    log = Lines()
    monkeypatch.setattr("sys.stderr", log)
    with Progress() as shown:
        shown(Began("images", 10, 4))
        shown(Advanced((None, Reason.CORRUPT)))
        first, second, *_ = log.await_lines(2)
    for line in (first, second):
        assert re.fullmatch(
            r"images 6/10, [\d.,]+/s, 0:00:0\d elapsed, 0:00:0\d left, 1 refused: 1 corrupt", line
        )


@pytest.mark.usefixtures("soon")
def test_a_step_that_lasts_is_announced_in_a_log_and_one_that_does_not_is_not(monkeypatch) -> None:
    log = Lines()
    monkeypatch.setattr("sys.stderr", log)
    with Progress() as shown:
        shown(Doing("reading faces.tsv"))
        log.await_lines(1)
        monkeypatch.setattr(progress, "_SOON_SECONDS", 60.0)
        shown(Doing("writing labels"))
    assert {line.partition("…")[0] for line in log.getvalue().splitlines()} == {
        "reading faces.tsv "
    }


def test_the_pauses_of_a_log_grow_and_stay_below_a_minute_and_a_half() -> None:
    assert [*islice(progress._Log().pauses(), 6)] == [10, 20, 30, 60, 60, 60]


SCRIPT = """
import sys
from dafre_fast.core.events import *
from dafre_fast.core.reasons import Reason
from dafre_fast.views.progress import Progress
with Progress() as shown:
    shown(Began("images", 123_456, 3456))
    shown(Advanced((None,) * 1000 + (Reason.NOT_FOUND,) * 20))
    sys.stdin.readline()
    shown(Notice("host:80: answers again"))
    shown(Doing("writing the manifest"))
    sys.stdin.readline()
"""


def in_terminal(columns: int, until: str, **environment: str) -> str:
    """Return what a script writes to a terminal so wide that reads lines as it goes on."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    given = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
        env=given | {"TERM": "xterm"} | environment,
    ) as script:
        os.close(theirs)
        written = ""
        for awaited in (until, "writing the manifest …"):
            while awaited not in written:
                written += os.read(ours, 4096).decode()
            script.stdin.write(b"\n")
            script.stdin.flush()
        with suppress(OSError):  # the end of a terminal
            while data := os.read(ours, 4096):
                written += data.decode()
    os.close(ours)
    assert script.returncode == 0
    return written


def shown_lines(written: str) -> list[str]:
    """Return all lines that were shown, those that were overwritten as well."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", written)
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("no_colour", ["", "1"])
def test_in_a_terminal_count_and_times_are_seen_at_any_width(columns, no_colour) -> None:
    written = in_terminal(columns, "4,476/123,456", NO_COLOR=no_colour)
    lines = shown_lines(written)
    assert max(map(len, lines)) <= columns
    assert all(line.startswith("images ") for line in lines[:2])
    live = r"images .*4,476/123,456.*0:00:\d\d elapsed, \d+:\d\d:\d\d left.*"
    assert any(re.fullmatch(live, line) for line in lines)
    (last,) = (line for line in lines if "images" in line and "left" not in line)
    assert "4,476/123,456" in last
    assert lines.index("host:80: answers again") < lines.index(last)
    assert "writing the manifest …" in lines
    assert "\x1b[3" not in written  # no colours


def test_a_terminal_that_can_do_nothing_gets_lines_as_a_log_does() -> None:
    written = in_terminal(60, "", TERM="dumb")
    assert "\x1b" not in written
