import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.report.page import share, size, time
from dafre_fast.report.page.figures import Axis, Plot, long_tail, pace, sizes
from dafre_fast.report.records import Grid, Pace, Throughput

RUN = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-([\d.]+)Z")
cells = st.integers(1, 12).flatmap(
    lambda side: st.lists(
        st.lists(st.integers(0, 50), min_size=side, max_size=side), min_size=side, max_size=side
    )
)


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+", path)]


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def levels(plot: Plot, grid: list[list[int]]) -> list[list[int]]:
    """The level of each cell, read off the paths."""
    side = (plot.frame.right - plot.frame.left) / len(grid)
    found = [[0] * len(row) for row in grid]
    for shape in plot.shapes:
        for x, y, wide, _high, _back in RUN.findall(shape.path):
            down = round((float(y) - plot.frame.top) / side)
            first = round((float(x) - plot.frame.left) / side)
            for place in range(first, first + round(float(wide) / side)):
                assert found[down][place] == 0  # no cell is drawn twice
                found[down][place] = int(shape.style[1:])
    return found


@given(cells.filter(lambda grid: any(map(any, grid))))
def test_the_more_there_is_in_a_cell_the_higher_its_level(grid) -> None:
    drawn = levels(sizes(Grid(grid, (256, 4096), (4096, 256))), grid)
    pairs = sorted(
        (cell, level)
        for row, of_levels in zip(grid, drawn, strict=True)
        for cell, level in zip(row, of_levels, strict=True)
    )
    assert [level for _, level in pairs] == sorted(level for _, level in pairs)
    assert all((cell == 0) == (level == 0) for cell, level in pairs)
    assert pairs[-1][1] == 6


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=500))
def test_a_long_tail_falls_from_left_to_right_within_its_frame(images) -> None:
    plot = long_tail(sorted(images, reverse=True))
    line = points(next(shape.path for shape in plot.shapes if shape.style == "line"))
    assert line == sorted(line)
    assert [y for _, y in line] == sorted(y for _, y in line)
    assert all(plot.frame.left <= x <= plot.frame.right for x, _ in line)
    assert all(plot.frame.top <= y <= plot.frame.bottom for _, y in line)


def test_a_long_tail_of_many_classes_is_a_short_path() -> None:
    plot = long_tail([*range(100_000, 20, -1)])
    assert len(points(plot.shapes[1].path)) <= 241


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=60).filter(any))
def test_throughput_is_drawn_within_its_frame(per_second) -> None:
    plot = pace(Throughput(12.5, 0, 60.0, [Pace("make", 9, per_second)], 0))
    heights = [float(y) for y in re.findall(r"V([\d.]+)", plot.shapes[0].path)]
    assert len(heights) == len(per_second)
    assert all(plot.frame.top <= y <= plot.frame.bottom for y in heights)


def test_throughput_of_days_is_drawn_over_hours() -> None:
    plot = pace(Throughput(200_000.0, 0, 60.0, [Pace("make", 9, [1.0, 2.0])], 0))
    assert plot.labels[0] == "hours of work"
    assert [tick.label for tick in plot.across] == ["0", "20", "40"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2.9, "2.9 seconds"), (179, "179 seconds"), (180, "3 minutes"), (27_590, "7.66 hours")],
)
def test_a_time_is_told_in_units_of_which_there_are_three_at_least(seconds, text) -> None:
    assert time(seconds) == text


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0.00%"), (1e-6, "<0.01%"), (1 / 463_437 * 30, "0.01%"), (1, "100.00%")]
)
def test_a_small_share_is_not_taken_for_none(part, text) -> None:
    assert share(part) == text


@given(st.floats(1e-3, 1e9), st.booleans())
def test_ticks_are_few_and_within_the_axis(span, logarithmic) -> None:
    low = 1.0 if logarithmic else 0.0
    axis = Axis(low, low + span, 50, 350, logarithmic)
    ticks = axis.ticks()
    assert len(ticks) <= 11
    assert logarithmic or len(ticks) >= 3
    assert all(50 <= tick.at <= 350 for tick in ticks)
    assert len({tick.label for tick in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (12_345_678, "12.3 MB"),
        (999_600_000, "1,000 MB"),
        (5e12, "5 TB"),
    ],
)
def test_sizes_are_told_in_thousands(number, text) -> None:
    assert size(number) == text
