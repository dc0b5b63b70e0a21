"""Plots of statistics for papers. The same data gives the same bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dafre_fast.core.summaries import Funnel, TagFunnel
from dafre_fast.stats.plots import classes, cloud, funnel, histogram, images
from dafre_fast.stats.plots.style import drawing, save
from dafre_fast.stats.records import Level, Vocabulary

LABELLED, UNLABELLED = 20, 50
"""Number of bars of a histogram with names, and of one without, as in DAF:re's plots."""
MOST_NAMES = max(LABELLED, UNLABELLED, cloud.WORDS)
"""The largest number of names that any plot shows."""


class Sizes(NamedTuple):
    """The different sizes in pixels, and the number of images of each; int64 (N,)."""

    width: NDArray[np.int64]
    height: NDArray[np.int64]
    images: NDArray[np.int64]


class Drawn(NamedTuple):
    """The names of the files written, and the reason for each plot that was not drawn."""

    files: Sequence[str]
    not_drawn: Mapping[str, str]


class Data(NamedTuple):
    """The data of all plots.

    `top` of a vocabulary has up to `MOST_NAMES` names. `class_images` are the numbers of images of
    the classes, largest first. `extensions` map file extensions to numbers of images.
    """

    title: str
    vocabularies: Sequence[Vocabulary]
    class_images: Sequence[int]
    extensions: Mapping[str, int]
    sizes: Sizes
    funnel: Funnel | None
    tag_funnel: TagFunnel | None


class _Plot(NamedTuple):
    """One plot, or in `lacking` the reason why it cannot be drawn."""

    name: str
    draw: Callable[[], Figure]
    lacking: str | None = None


def draw(data: Data, folder: Path, format: str) -> Drawn:
    """Draw every plot that has data into `folder`; `format` is png, pdf or svg.

    Raises OutputError if the folder cannot be written.
    """
    files, not_drawn = list[str](), dict[str, str]()
    with drawing():
        for plot in _plots(data):
            if plot.lacking:
                not_drawn[plot.name] = plot.lacking
                continue
            files.append(f"{plot.name}.{format}")
            save(plot.draw(), folder / files[-1], format)
    return Drawn(files, not_drawn)


def _plots(data: Data) -> Iterator[_Plot]:
    for vocabulary in data.vocabularies:
        yield from _of_vocabulary(data.title, vocabulary)
    yield _Plot(
        "classes_long_tail",
        partial(classes.long_tail, data.title, data.class_images),
        None if data.class_images else "no classes",
    )
    yield _Plot(
        "funnel",
        partial(funnel.whole, data.title, data.funnel, data.tag_funnel),
        None if funnel.blocks(data.funnel, data.tag_funnel) else "no funnel.json",
    )
    yield _Plot(
        "sizes",
        partial(images.sizes, data.title, *data.sizes),
        None if data.sizes.images.size else "no image sizes",
    )
    yield _Plot(
        "formats",
        partial(images.formats, data.title, data.extensions),
        None if data.extensions else "no file extensions",
    )


def _of_vocabulary(title: str, vocabulary: Vocabulary) -> Iterator[_Plot]:
    kind = f"{vocabulary.level}_cat{vocabulary.category}"
    lacking = None
    if not vocabulary.unique:
        lacking = "no words" if vocabulary.level is Level.WORDS else "no tags"
    for top, labelled in ((LABELLED, True), (UNLABELLED, False)):
        bars = partial(histogram.histogram, title, vocabulary, top, labelled=labelled)
        name = f"histogram_{kind}_top{top}{'' if labelled else '_unlabelled'}"
        yield _Plot(name, bars, lacking)
    yield _Plot(f"wordcloud_{kind}", partial(cloud.cloud, title, vocabulary), lacking)
