"""The plots of image sizes and file formats."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dafre_fast.stats.plots.style import (
    BLUE,
    COLUMN,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
    log_scale,
    plain_numbers,
)
from dafre_fast.views.figures import shortened, ticks

_FEW = 2_000
"""The largest number of sizes that are drawn as dots. More are counted in cells of a grid."""
_CELLS_PER_DECADE = 40
_SMALL_SHARE = 0.02
_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, SKY, PURPLE, YELLOW, GREY)

Pixels = NDArray[np.int64]


def sizes(title: str, width: Pixels, height: Pixels, images: Pixels) -> Figure:
    """Draw width by height on logarithmic axes: dots for few sizes, else the images per cell.

    `width` and `height` in pixels and `images` are int64 (N,), N > 0: one entry per size.
    """
    figure = Figure(figsize=(COLUMN, 3.1), layout="constrained")
    axes = figure.subplots()
    if width.size <= _FEW:
        area = 8 * np.sqrt(images)
        axes.scatter(width, height, np.minimum(area, 200), color=BLUE, alpha=0.4, linewidth=0)
    else:
        _draw_cells(figure, axes, width, height, images)
    low = min(width.min(), height.min()) / 1.15
    high = max(width.max(), height.max()) * 1.15
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.6, linestyle=":")
    log_scale(axes, "x", low, high)
    log_scale(axes, "y", low, high)
    axes.set(xlabel="width in pixels", ylabel="height in pixels", aspect="equal")
    figure.suptitle(f"{shortened(title, 44)}\nsizes of {images.sum():,} images", fontsize=9)
    return figure


def _draw_cells(figure: Figure, axes: Axes, width: Pixels, height: Pixels, images: Pixels) -> None:
    cells, across, up = np.histogram2d(
        width, height, bins=(_edges(width), _edges(height)), weights=images
    )
    shown = np.ma.masked_equal(cells.T, 0)
    mesh = axes.pcolormesh(across, up, shown, cmap="cividis", norm=LogNorm(), rasterized=True)
    scale = figure.colorbar(mesh, ax=axes, label="images", shrink=0.8)
    scale.set_ticks(ticks(1, float(shown.max())))
    plain_numbers(scale.ax.yaxis)


def _edges(pixels: Pixels) -> NDArray[np.float64]:
    low, high = np.log10(pixels.min() - 0.5), np.log10(pixels.max() + 0.5)
    return np.logspace(low, high, max(2, round((high - low) * _CELLS_PER_DECADE)) + 1)


def formats(title: str, extensions: Mapping[str, int]) -> Figure:
    """Draw the shares of the file extensions. Several below 2% share one slice."""
    figure = Figure(figsize=(COLUMN, 2.2), layout="constrained")
    axes = figure.subplots()
    slices = join_small(extensions)
    total = sum(slices.values())
    edges = {"edgecolor": "white", "linewidth": 0.7}
    colours = [_COLOURS[place % len(_COLOURS)] for place in range(len(slices))]
    wedges = axes.pie(
        [*slices.values()], colors=colours, startangle=90, counterclock=False, wedgeprops=edges
    )[0]
    named = [f"{shortened(name, 12)}  {n / total:.1%}  ({n:,})" for name, n in slices.items()]
    axes.legend(wedges, named, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.suptitle(f"{shortened(title, 44)}\nformats of {total:,} images", fontsize=9)
    return figure


def join_small(extensions: Mapping[str, int]) -> dict[str, int]:
    """Return the images per extension, with the extensions of small shares added up."""
    total = sum(extensions.values())
    small = {name for name, images in extensions.items() if images < _SMALL_SHARE * total}
    if len(small) < 2:
        return dict(extensions)
    slices = {name: images for name, images in extensions.items() if name not in small}
    return slices | {f"{len(small)} others": total - sum(slices.values())}
