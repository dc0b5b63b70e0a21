"""The page, curves and card of a training."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from msgspec import structs

from dafre_fast.learning.pages import render
from dafre_fast.learning.recipes import DEVIATIONS
from dafre_fast.learning.records import Config, Epoch
from dafre_fast.stats.plots.style import BLUE, GREEN, VERMILION, drawing, save
from dafre_fast.stats.plots.style import PAGE as PAGE_WIDTH

PAGE, CURVES, CARD = "report.html", "curves.svg", "card.md"
_HERE = Path(__file__).parent


def write_page(run: Path, recipe: str, config: Config, epochs: Sequence[Epoch]) -> None:
    """Write curves, page and card into the folder of a model. Raises OutputError."""
    draw_curves(epochs, run / CURVES)
    values = {
        "title": f"Recogniser of {config.dataset}",
        "recipe": recipe,
        "config": config,
        "figures": structs.asdict(config.recipe),
        "deviations": DEVIATIONS if recipe == "original" else (),
        "epochs": epochs,
        "last": epochs[-1],
        "curves": CURVES,
    }
    render(_HERE / "page.html.jinja", values, run / PAGE)
    render(_HERE / "card.md.jinja", values, run / CARD)


def draw_curves(epochs: Sequence[Epoch], path: Path) -> None:
    """Draw loss, learning rate and the shares right on val, epoch by epoch, as SVG."""
    with drawing():
        figure = Figure(figsize=(PAGE_WIDTH, 2.4), layout="constrained")
        loss, rate, right = figure.subplots(1, 3)
        at = [one.epoch for one in epochs]
        marker = "o" if len(at) < 30 else ""
        style = {"marker": marker, "markersize": 2.5}
        loss.plot(at, [one.loss for one in epochs], color=BLUE, **style)
        rate.plot(at, [one.lr for one in epochs], color=GREEN, **style)
        for name, colour, line in (("top1", BLUE, "-"), ("top5", VERMILION, "--")):
            shares = [getattr(one, name) for one in epochs]
            label = name.replace("top", "top-")
            right.plot(at, shares, color=colour, linestyle=line, label=label, **style)
        loss.set(xlabel="epoch", ylabel="loss of training")
        rate.set(xlabel="epoch", ylabel="learning rate")
        right.set(xlabel="epoch", ylabel="share right on val", ylim=(0, 1.02))
        right.legend(loc="lower right", frameon=False)
        for axes in (loss, rate, right):
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        save(figure, path, "svg")
