import re

import pytest

from dafre_fast.core.events import (
    Advanced,
    Began,
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
from dafre_fast.views.progress import Progress

LONG = "a-very-long-name-of-a-host-of-which-there-are-some.and-its-domain-is-long-too.example:443"


@pytest.fixture
def said(capsys):
    def lines(*events) -> list[str]:
        progress = Progress()
        for event in events:
            progress(event)
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


def test_the_live_line_names_the_three_most_frequent_reasons(said, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    reasons = [Reason.NOT_FOUND, Reason.FORBIDDEN, Reason.TOO_SLOW, Reason.SERVER_ERROR]
    counted = (None, *reasons, *reasons[:3], *reasons[:2], reasons[0])
    (line,) = said(Began("originals", 20, 5), Advanced(counted), Ended())
    assert line.startswith("originals ")
    assert "16/20" in line
    assert "10 refused: 4 not_found, 3 forbidden, 2 too_slow" in line
    assert "MB" not in line


def test_the_live_line_shows_bytes_if_some_were_fetched(said, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    fetched = Outcome(Fetched("5", attempts=1, bytes=2_500_000))
    found = Outcome(Fetched("6", bytes=2_500_000))
    (line,) = said(Began("originals", 20, 5), fetched, found, Advanced((None, None)), Ended())
    assert "2.5 MB" in line


def test_each_stage_has_a_line_with_its_own_counts_and_words(said, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    first = Began("images", 3), Advanced((None, None, Reason.CORRUPT)), Ended()
    images, files = said(*first, Began("files", 1, bad="found"), Advanced((None,)), Ended())
    assert ("3/3" in images, "1 refused: 1 corrupt" in images) == (True, True)
    assert ("1/1" in files, "0 found" in files) == (True, True)


def test_a_stage_that_an_exception_leaves_open_ends_with_the_context(capsys) -> None:
    with Progress() as progress:
        progress(Began("images", 3))
    assert "0/3" in capsys.readouterr().err


def test_events_outside_a_stage_are_ignored(said) -> None:
    assert said(Advanced((None,)), Outcome(Fetched("5", attempts=1, bytes=5)), Ended()) == []
