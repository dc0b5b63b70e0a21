"""The line of a stage: what it counts, and what it leaves out where there is little room."""

import pytest

from dafre_fast.core.events import Began
from dafre_fast.core.reasons import Reason
from dafre_fast.views.lines import DoingLine, StageLine

GOOD, BAD = (None,), (Reason.NOT_FOUND,)


def big(columns: int | None) -> str:
    """A long run after an hour: a third of it was done before."""
    line = StageLine(Began("originals", 1_000_000, 300_000), now=0.0)
    line.line(3540.0)
    line.advance(GOOD * 10_000 + BAD * 500 + (Reason.FORBIDDEN,) * 20)
    line.add_bytes(9_000_000_000)
    return line.line(3600.0, columns)


def test_a_line_with_room_has_everything() -> None:
    assert big(None) == (
        "originals 310,520/1,000,000, 166.7/s, 9,000.0 MB, 150.0 MB/s, 1:00:00 elapsed,"
        " 1:05:32 left, 520 refused: 500 not_found, 20 forbidden"
    )


@pytest.mark.parametrize(
    ("columns", "shown", "left_out"),
    [
        (160, "━", ""),
        (120, "150.0 MB/s", "not_found"),
        (100, "166.7/s", "9,000.0 MB"),
        (80, "520 refused", "MB"),
        (60, "1:00:00 elapsed", "refused"),
        (45, "1:05:32 left", "elapsed"),
    ],
)
def test_the_least_useful_goes_first_and_count_and_time_left_never(
    columns, shown, left_out
) -> None:
    line = big(columns)
    assert len(line) <= columns
    assert line.startswith("originals ")
    assert "310,520/1,000,000" in line
    assert "1:05:32 left" in line
    assert shown in line
    assert not left_out or left_out not in line


@pytest.mark.parametrize(("done", "bar"), [(0, "╌" * 30), (5, "━" * 15 + "╌" * 15), (10, "━" * 30)])
def test_the_bar_is_as_long_as_what_is_done(done, bar) -> None:
    line = StageLine(Began("images", 10), now=0.0)
    line.advance(GOOD * done)
    assert f"images {bar} {done}/10" in line.line(1.0, 200)


def test_the_rate_counts_what_this_run_made_and_neither_refusals_nor_earlier_work() -> None:
    line = StageLine(Began("images", 1000, 400), now=0.0)
    line.advance(GOOD * 100, earlier=True)
    line.advance(GOOD * 20 + BAD * 80)
    text = line.line(10.0)
    assert "600/1,000, 2.0/s" in text
    assert "0:00:40 left" in text  # ten outcomes a second


def test_the_rate_is_that_of_the_last_minute_and_at_the_end_that_of_all() -> None:
    line = StageLine(Began("images", 10_000), now=0.0)
    line.advance(GOOD * 6000)
    line.line(100.0)
    line.advance(GOOD * 60)
    assert ", 1.0/s" in line.line(160.0)
    assert "images 6,060/10,000, 30.3/s, 0:03:20 elapsed, 0 refused" in line.last_line(200.0)
    assert "left" not in line.last_line(200.0)


@pytest.mark.parametrize(("total", "left"), [(10, "? left"), (0, "0:00:00 left")])
def test_the_time_left_is_unknown_while_nothing_was_done(total, left) -> None:
    assert left in StageLine(Began("images", total), now=0.0).line(5.0)


def test_a_step_has_its_name_and_its_time_once_it_lasts() -> None:
    step = DoingLine("reading faces.tsv", now=0.0)
    assert step.line(1.0) == "reading faces.tsv …"
    assert step.line(75.0) == "reading faces.tsv … 0:01:15 elapsed"
    assert step.line(75.0, 25) == "reading … 0:01:15 elapsed"
