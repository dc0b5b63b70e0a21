"""Compute the figures of a report as SVG paths; the page colours them for light and dark.

One unit is one pixel on a phone. Paths hold nothing but letters of SVG and numbers.
"""

from collections.abc import Iterator, Sequence
from math import floor, log, log10
from statistics import median
from typing import NamedTuple

from dafre_fast.report.records import Bars, FoundHeads, Grid, Heads, Throughput
from dafre_fast.views.figures import ticks

LEVELS = 6
"""Shades of a grid, from few to many."""
_WIDTH, _HEIGHT = 360.0, 240.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 18.0, 12.0, 38.0
_POINTS = 240
"""Points of a line; more cannot be seen."""
_UNITS_OF_TIME = ((3600, "hours"), (60, "minutes"), (1, "seconds"))


class Tick(NamedTuple):
    """A mark on an axis: its position and its label."""

    at: float
    label: str


class Shape(NamedTuple):
    """An SVG path and the name of its style."""

    style: str
    path: str


class Note(NamedTuple):
    """A text that begins at a point, or ends there (`anchor`)."""

    x: float
    y: float
    text: str
    anchor: str = "start"


class Frame(NamedTuple):
    """Edges of the drawing area, in units from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


class Plot(NamedTuple):
    """A figure: size, frame, ticks, axis labels, shapes and notes."""

    width: float
    height: float
    frame: Frame
    across: Sequence[Tick]
    up: Sequence[Tick]
    labels: tuple[str, str]
    shapes: Sequence[Shape]
    notes: Sequence[Note] = ()


class Axis(NamedTuple):
    """A linear or logarithmic scale from values (low, high) to units (begin, end)."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the position of a value; values beyond the ends are clamped."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = log(value / self.low) / log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[Tick]:
        """Return ticks at round numbers."""
        if self.logarithmic:
            values = [float(value) for value in ticks(self.low, self.high)]
        else:
            step = _step(self.high - self.low)
            values = [step * place for place in range(int(self.high / step) + 1)]
        return [Tick(self.at(value), _label(value)) for value in values]


def _step(span: float) -> float:
    """Return the least of 1, 2 and 5 times a power of ten that makes at most five steps."""
    power = 10.0 ** (floor(log10(span)) - 1)
    return next(power * factor for factor in (2, 5, 10, 20, 50) if span / (power * factor) <= 5)


def _label(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,g}"


_FRAME = Frame(_LEFT, _TOP, _WIDTH - _RIGHT, _HEIGHT - _BOTTOM)


def long_tail(images: Sequence[int]) -> Plot:
    """Plot the images per class by rank, largest first, on logarithmic axes."""
    across = Axis(1, max(len(images), 2), _FRAME.left, _FRAME.right, logarithmic=True)
    low, high = max(min(images), 1) / 1.3, max(images) * 1.15
    up = Axis(low, high, _FRAME.bottom, _FRAME.top, logarithmic=True)
    points = [(across.at(rank), up.at(images[rank - 1])) for rank in _ranks(len(images))]
    line = _line(points)
    floor = f"V{_n(_FRAME.bottom)}H{_n(points[0][0])}Z"
    middle = median(images)
    shapes = [
        Shape("area", line + floor),
        Shape("line", line),
        Shape("guide", f"M{_n(_FRAME.left)} {_n(up.at(middle))}H{_n(_FRAME.right)}"),
    ]
    note = Note(_FRAME.left + 4, up.at(middle) - 4, f"median {middle:,g}")
    labels = ("rank of the class", "images of the class")
    return Plot(_WIDTH, _HEIGHT, _FRAME, across.ticks(), up.ticks(), labels, shapes, [note])


def _ranks(number: int) -> list[int]:
    """Return enough ranks to show every bend on a logarithmic axis."""
    if number <= _POINTS:
        return [*range(1, number + 1)]
    return sorted({round(number ** (place / _POINTS)) for place in range(_POINTS + 1)})


def of_time(seconds: float) -> tuple[float, str]:
    """Return the unit in which a duration reads best: its length in seconds, and its name."""
    return next((size, name) for size, name in _UNITS_OF_TIME if seconds >= 3 * size or size == 1)


def pace(found: Throughput) -> Plot:
    """Plot the outcomes per second of each stage over the working time, as steps."""
    size, unit = of_time(found.seconds)
    across = Axis(0, found.seconds / size, _FRAME.left, _FRAME.right)
    most = max(max(stage.per_second) for stage in found.stages)
    up = Axis(0, most * 1.08, _FRAME.bottom, _FRAME.top)
    shapes = [Shape(f"line {one.stage}", _steps(one.per_second, up)) for one in found.stages]
    labels = (f"{unit} of work", "outcomes per second")
    return Plot(_WIDTH, _HEIGHT, _FRAME, across.ticks(), up.ticks(), labels, shapes)


def _steps(values: Sequence[float], up: Axis) -> str:
    wide = (_FRAME.right - _FRAME.left) / len(values)
    heights = [_n(up.at(value)) for value in values]
    stairs = (f"V{y}H{_n(_FRAME.left + place * wide)}" for place, y in enumerate(heights, 1))
    return f"M{_n(_FRAME.left)} {heights[0]}" + "".join(stairs)


def scores(found: FoundHeads) -> Plot:
    """Plot the boxes by their score, and both thresholds as lines."""
    across = Axis(0, 1, _FRAME.left, _FRAME.right)
    shapes, up = _bars(found.scores, across)
    notes = []
    for place, (threshold, text) in enumerate(
        [(found.count_threshold, "counted"), (found.min_confidence, "labelled")]
    ):
        x, y = across.at(threshold), _FRAME.top + 12 + 14 * place
        shapes.append(Shape("guide", f"M{_n(x)} {_n(_FRAME.top)}V{_n(_FRAME.bottom)}"))
        words = f"{text} from {threshold:g}"
        end = x > _FRAME.right - 110
        notes.append(Note(x - 4 if end else x + 4, y, words, "end" if end else "start"))
    labels = ("score", "boxes")
    return Plot(_WIDTH, _HEIGHT, _FRAME, across.ticks(), up.ticks(), labels, shapes, notes)


def head_sides(found: FoundHeads) -> Plot:
    """Plot the heads by the short side of their box, on a logarithmic axis."""
    edges = found.sizes.edges
    across = Axis(edges[0], edges[-1], _FRAME.left, _FRAME.right, logarithmic=True)
    shapes, up = _bars(found.sizes, across)
    labels = ("short side of the box, in pixels of the original", "heads")
    return Plot(_WIDTH, _HEIGHT, _FRAME, across.ticks(), up.ticks(), labels, shapes)


def _bars(bars: Bars, across: Axis) -> tuple[list[Shape], Axis]:
    """Return a histogram: all boxes, and over them those that are sure; and the axis upwards."""
    up = Axis(0, max(*bars.boxes, 1) * 1.08, _FRAME.bottom, _FRAME.top)
    edges = [across.at(edge) for edge in bars.edges]
    shapes = []
    for style, counts in (("bars", bars.boxes), ("bars sure", bars.sure)):
        path = "".join(
            f"M{_n(left)} {_n(_FRAME.bottom)}V{_n(up.at(count))}H{_n(right)}V{_n(_FRAME.bottom)}Z"
            for left, right, count in zip(edges, edges[1:], counts, strict=False)
            if count
        )
        if path:
            shapes.append(Shape(style, path))
    return shapes, up


def sizes(grid: Grid) -> Plot:
    """Plot images by width and height on logarithmic axes, taller ones higher up."""
    frame = _square()
    across = Axis(*grid.across, frame.left, frame.right, logarithmic=True)
    up = Axis(grid.down[1], grid.down[0], frame.bottom, frame.top, logarithmic=True)
    diagonal = f"M{_n(frame.left)} {_n(frame.bottom)}L{_n(frame.right)} {_n(frame.top)}"
    shapes = [*_cells(grid, frame, root=True), Shape("guide", diagonal)]
    labels = ("width in pixels", "height in pixels")
    height = frame.bottom + _BOTTOM
    return Plot(_WIDTH, height, frame, across.ticks(), up.ticks(), labels, shapes)


def heads(found: Heads) -> Plot:
    """Plot where heads lie in the picture, and the median box."""
    frame = _square()
    across = Axis(0, 1, frame.left, frame.right)
    down = Axis(0, 1, frame.top, frame.bottom)
    left, top, right, bottom = found.box
    box = f"M{_n(across.at(left))} {_n(down.at(top))}H{_n(across.at(right))}"
    box += f"V{_n(down.at(bottom))}H{_n(across.at(left))}Z"
    shapes = [*_cells(found.covered, frame), Shape("box", box)]
    edges = [(0.0, "0%"), (0.25, "25%"), (0.5, "50%"), (0.75, "75%"), (1.0, "100%")]
    right_on, down_on = ([Tick(axis.at(at), text) for at, text in edges] for axis in (across, down))
    labels = ("of the width", "of the height, from the top")
    return Plot(_WIDTH, frame.bottom + _BOTTOM, frame, right_on, down_on, labels, shapes)


def _square() -> Frame:
    side = _WIDTH - _LEFT - _RIGHT
    return Frame(_LEFT, _TOP, _LEFT + side, _TOP + side)


def _cells(grid: Grid, frame: Frame, *, root: bool = False) -> list[Shape]:
    """Return a path per level; with `root`, levels follow the square root, so that few show too."""
    most = max(max(row) for row in grid.cells)
    wide = (frame.right - frame.left) / len(grid.cells[0])
    high = (frame.bottom - frame.top) / len(grid.cells)
    paths = dict[int, list[str]]()
    for down, row in enumerate(grid.cells):
        levels = [_level(cell / most, root=root) if cell else 0 for cell in row]
        for level, begin, length in _runs(levels):
            x, y = _n(frame.left + begin * wide), _n(frame.top + down * high)
            run = f"M{x} {y}h{_n(length * wide)}v{_n(high)}h-{_n(length * wide)}Z"
            paths.setdefault(level, []).append(run)
    return [Shape(f"l{level}", "".join(paths[level])) for level in sorted(paths) if level]


def _level(share: float, *, root: bool) -> int:
    return min(LEVELS, 1 + int((share**0.5 if root else share) * LEVELS))


def _runs(levels: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield level, begin and length of each run of equal levels."""
    begin = 0
    for place in range(1, len(levels) + 1):
        if place == len(levels) or levels[place] != levels[begin]:
            yield levels[begin], begin, place - begin
            begin = place


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
