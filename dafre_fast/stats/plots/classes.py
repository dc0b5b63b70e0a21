"""The plot of class sizes."""

from collections.abc import Sequence
from statistics import median

from matplotlib.figure import Figure

from dafre_fast.stats.plots.style import BLUE, COLUMN, GREY, VERMILION, log_scale
from dafre_fast.views.figures import shortened

_FEW = 60
"""The largest number of classes that are marked by dots."""


def long_tail(title: str, images: Sequence[int]) -> Figure:
    """Draw the number of images per class, largest class first, on logarithmic axes.

    `images` has the number of each class in that order, at least one class and no zeros.
    """
    figure = Figure(figsize=(COLUMN, 2.6), layout="constrained")
    axes = figure.subplots()
    marker = "o" if len(images) <= _FEW else ""
    ranks = range(1, len(images) + 1)
    axes.plot(ranks, images, color=BLUE, linewidth=1.5, marker=marker, markersize=3)
    middle = median(images)
    axes.axhline(middle, color=VERMILION, linewidth=0.9, linestyle="--")
    axes.annotate(
        f"median {middle:,g}",
        (0, middle),
        xycoords=("axes fraction", "data"),
        xytext=(3, 2),
        textcoords="offset points",
        color=VERMILION,
    )
    log_scale(axes, "x", 0.8, max(len(images), 2) * 1.25)
    log_scale(axes, "y", min(images) / 1.4, max(images) * 1.5)
    axes.grid(color=GREY, alpha=0.3, linewidth=0.5)
    axes.set(xlabel="rank of the class", ylabel="images of the class")
    counted = f"{sum(images):,} images of {len(images):,} class{'es' * (len(images) != 1)}"
    figure.suptitle(f"{shortened(title, 52)}\n{counted}", fontsize=9)
    return figure
