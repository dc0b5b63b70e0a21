"""The histograms of the most used tags."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dafre_fast.stats.plots.style import (
    COLUMN,
    OF_CATEGORY,
    about,
    behind,
    plain_numbers,
)
from dafre_fast.stats.records import Vocabulary
from dafre_fast.views.figures import shortened

_LONGEST_NAME = 32
_BAR_INCHES = 0.16


def histogram(title: str, vocabulary: Vocabulary, top: int, *, labelled: bool) -> Figure:
    """Draw the uses of the `top` most used tags as bars.

    If `labelled`, bars are horizontal, with names; else vertical, by rank.
    """
    used = vocabulary.top[:top]
    height = len(used) * _BAR_INCHES + 0.8 if labelled else 2.3
    figure = Figure(figsize=(COLUMN, height), layout="constrained")
    axes = figure.subplots()
    uses, colour = [one.uses for one in used], OF_CATEGORY[vocabulary.category]
    if labelled:
        axes.barh(range(len(used)), uses, height=0.75, color=colour)
        _name_bars(axes, [shortened(one.name, _LONGEST_NAME) for one in used], uses)
    else:
        axes.bar(range(1, len(used) + 1), uses, width=0.85, color=colour)
        axes.set(xlabel=f"rank of the {vocabulary.level.one}", ylabel="uses")
        axes.set_xlim(0.4, max(len(used), 2) + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
        plain_numbers(axes.yaxis)
    which = f"{len(used)} {vocabulary.level.one}{'s' * (len(used) != 1)}"
    if len(used) < vocabulary.unique:
        which = f"{len(used)} most used of {vocabulary.unique:,}"
    figure.suptitle(f"{shortened(about(title, vocabulary), 52)}\n{which}", fontsize=9)
    return figure


def _name_bars(axes: Axes, names: list[str], uses: list[int]) -> None:
    """Write names to the left of the bars and numbers to their right, the first bar on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params("y", length=0)
    for place, number in enumerate(uses):
        behind(axes, f"{number:,}", (number, place), size=6.5)
    axes.set_xlim(0, max(uses) * 1.3)  # room for the number after the longest bar
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
