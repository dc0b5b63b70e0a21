"""The plot of the funnel: images, classes and tags left after each step, with their shares."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.core.summaries import Funnel, TagCount, TagFunnel
from dafre_fast.stats.plots.style import BLUE, GREY, OF_CATEGORY, PAGE, SKY, behind
from dafre_fast.views.figures import PARTS, kept, shortened

_LONGEST_NAME = 30
_BAR_INCHES, _HEAD_INCHES = 0.2, 0.42


class _Block(NamedTuple):
    """Two bar charts side by side: two numbers for each step."""

    heads: tuple[str, str]
    names: Sequence[str]
    numbers: tuple[Sequence[int], Sequence[int]]
    colour: str


def whole(title: str, funnel: Funnel | None, tag_funnel: TagFunnel | None) -> Figure:
    """Draw the images and classes of each step, and its tags and their uses by category."""
    parts = blocks(funnel, tag_funnel)
    inches = [len(block.names) * _BAR_INCHES + _HEAD_INCHES for block in parts]
    figure = Figure(figsize=(PAGE, sum(inches) + 0.4), layout="constrained")
    grid = figure.subplots(len(parts), 2, squeeze=False, height_ratios=inches)
    for pair, block in zip(grid, parts, strict=True):
        for place, axes in enumerate(pair):
            _draw_bars(axes, block, place)
    figure.suptitle(shortened(title, 100), fontsize=10)
    return figure


def blocks(funnel: Funnel | None, tag_funnel: TagFunnel | None) -> list[_Block]:
    """Return the charts that have data. A category without tags has none."""
    found = []
    if funnel:
        images, classes = zip(*((one.images, one.classes) for one in funnel.steps), strict=True)
        names = [step.name for step in funnel.steps]
        found.append(_Block(("images", "classes"), names, (images, classes), BLUE))
    if tag_funnel:
        names = [step.name for step in tag_funnel.steps]
        for number, category in CATEGORY_NAMES.items():
            tags = [step.categories.get(number, TagCount(0, 0)) for step in tag_funnel.steps]
            if any(tag.unique for tag in tags):
                heads = f"{category} tags, unique", f"{category} tags, uses"
                unique, uses = [tag.unique for tag in tags], [tag.uses for tag in tags]
                found.append(_Block(heads, names, (unique, uses), OF_CATEGORY[number]))
    return found


def _draw_bars(axes: Axes, block: _Block, place: int) -> None:
    numbers = block.numbers[place]
    rows = range(len(numbers))
    colours = [SKY if name in PARTS else block.colour for name in block.names]
    axes.barh(rows, numbers, height=0.72, color=colours)
    axes.barh(rows, [max(*numbers, 1)] * len(numbers), height=0.72, color=GREY, alpha=0.12)
    for row, (number, share) in enumerate(zip(numbers, kept(block.names, numbers), strict=True)):
        text = f"{number:,}" if share is None else f"{number:,}   {share:.1%}"
        behind(axes, text, (max(*numbers, 1), row), size=7.5)
    axes.set_title(block.heads[place], loc="left")
    axes.set_xlim(0, max(*numbers, 1))
    axes.set_ylim(len(numbers) - 0.5, -0.5)
    named = [shortened(name, _LONGEST_NAME) for name in block.names]
    axes.set_yticks(rows, named if place == 0 else [""] * len(named))
    axes.tick_params("y", length=0)
    axes.xaxis.set_visible(False)
    axes.spines[:].set_visible(False)
