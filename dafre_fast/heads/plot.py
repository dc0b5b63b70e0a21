"""Draw the quality of a detector by its threshold."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from dafre_fast.core.summaries import Judged
from dafre_fast.stats.plots.style import BLUE, COLUMN, GREEN, VERMILION, drawing, save

_LINES = (
    ("recall", BLUE, "-"),
    ("precision", VERMILION, "--"),
    ("counted", GREEN, ":"),
)


def draw_quality(judged: Sequence[Judged], path: Path) -> None:
    """Draw recall, precision and the share of images with the right number of heads, as SVG.

    Raises OutputError if the file cannot be written.
    """
    with drawing():
        figure = Figure(figsize=(COLUMN, 2.6), layout="constrained")
        axes = figure.subplots()
        thresholds = [one.threshold for one in judged]
        for name, colour, style in _LINES:
            shares = [getattr(one, name) for one in judged]
            axes.plot(thresholds, shares, color=colour, linestyle=style, label=name)
        axes.set(xlabel="threshold of the score", ylabel="share", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="lower left", frameon=False)
        figure.suptitle(f"{judged[0].known:,} known heads", fontsize=9)
        save(figure, path, "svg")
