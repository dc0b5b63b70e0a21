"""The page of an evaluation, with its figure and the pictures of confused classes."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import polars as pl
from matplotlib.figure import Figure

from dafre_fast.core.atomic import replacing
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.images import FULL_IMAGE, HEAD_CROP, Output
from dafre_fast.dataset.pictures import Pictures
from dafre_fast.dataset.reading import open_manifest
from dafre_fast.evaluate.run import Evaluated, Pair
from dafre_fast.learning.metrics import Bin
from dafre_fast.learning.pages import render
from dafre_fast.learning.records import Config
from dafre_fast.stats.plots.style import BLUE, COLUMN, GREY, drawing, save

PAGE, RELIABILITY, PICTURES = "index.html", "reliability.svg", "pictures"
_HERE = Path(__file__).parent
_SHOWN_PAIRS, _OF_PAIR = 12, 3


class Shown(NamedTuple):
    """A pair of classes with pictures: of images taken for the other class, and of that class."""

    pair: Pair
    taken: Sequence[str]
    others: Sequence[str]


def write_page(evaluated: Evaluated, dataset: Path, config: Config, into: Path) -> None:
    """Write the page, its figure and pictures. Raises OutputError."""
    draw_reliability(evaluated.calibration, into / RELIABILITY)
    values = {
        "title": f"Evaluation on {evaluated.split} of {dataset.resolve().name}",
        "one": evaluated,
        "config": config,
        "rates": [("top-1", "top1"), ("top-5", "top5"), ("mean over classes", "macro")],
        "pairs": _pairs(evaluated, dataset, config, into),
        "reliability": RELIABILITY,
    }
    render(_HERE / "page.html.jinja", values, into / PAGE)


def _pairs(evaluated: Evaluated, dataset: Path, config: Config, into: Path) -> list[Shown]:
    """Return the pairs that are confused most often, and copy pictures of them."""
    view = FULL_IMAGE if config.images == "full" else HEAD_CROP
    rows = open_manifest(dataset).filter(status=SUCCESS)
    pairs = evaluated.confused[:_SHOWN_PAIRS]
    answers = rows.filter(pl.col("class_name").is_in([pair.answer for pair in pairs]))
    by_class = answers.group_by("class_name").agg(pl.col("id").head(_OF_PAIR)).collect()
    others = dict(by_class.iter_rows())
    stored, found = Pictures.of(dataset), list[Shown]()
    for pair in pairs:
        ids = pair.ids[:_OF_PAIR], others.get(pair.answer, [])
        copied = ([*_copied(stored, view, some, into)] for some in ids)
        found.append(Shown(pair, *copied))
    return found


def _copied(stored: Pictures, view: Output, ids: Sequence[int], into: Path) -> Iterator[str]:
    """Copy pictures beside the page; yield their paths from there. Those that cannot be read are
    left out.
    """
    for image in ids:
        with suppress(OSError):
            place = stored.place(view, image)
            data = place.read(stored.folder)
            name = f"{PICTURES}/{image}{Path(place.name).suffix}"
            with replacing(into / name) as part:
                part.write_bytes(data)
            yield name


def draw_reliability(bins: Sequence[Bin], path: Path) -> None:
    """Draw the share right by the probability that the model gave, as SVG. Raises OutputError."""
    with drawing():
        figure = Figure(figsize=(COLUMN, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="calibrated")
        images = sum(one.images for one in bins)
        sizes = [10 + 150 * one.images / images for one in bins]
        across, up = [one.probability for one in bins], [one.right for one in bins]
        axes.plot(across, up, color=BLUE, linewidth=0.8)
        label = "answers, larger where there are more"
        axes.scatter(across, up, s=sizes, color=BLUE, label=label, clip_on=False)
        axes.set(xlabel="probability of the answer", ylabel="share right")
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.05))
        axes.legend(loc="upper left", frameon=False)
        save(figure, path, "svg")
