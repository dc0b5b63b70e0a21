"""The most used tags as a cloud, the size of each following from its uses.

The layout is that of the package wordcloud, fixed by a seed; the words are drawn as outlines, so
that a PDF or SVG is sharp and looks the same wherever it is opened.
"""

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from PIL import ImageFont
from wordcloud import WordCloud

from dafre_fast.model.statistics import Vocabulary
from dafre_fast.views.plots.style import (
    BLACK,
    BLUE,
    COLUMN,
    GREEN,
    JAPANESE,
    LATIN,
    PURPLE,
    VERMILION,
    about,
    japanese_font,
    shortened,
)

WORDS = 100
_WIDTH, _HEIGHT = 1200, 800
_LONGEST_NAME = 36
_SEED = 1
_COLOURS = (BLUE, VERMILION, GREEN, BLACK, PURPLE)


def cloud(title: str, vocabulary: Vocabulary) -> Figure:
    """As many of the most used ones as find room, at most `WORDS`."""
    figure = Figure(figsize=(COLUMN, COLUMN * _HEIGHT / _WIDTH + 0.3), layout="constrained")
    axes = figure.subplots()
    axes.set_title(shortened(about(title, vocabulary), 52))
    axes.set(xlim=(0, _WIDTH), ylim=(_HEIGHT, 0), aspect="equal")
    axes.set_axis_off()
    font = FontProperties(family=[JAPANESE, LATIN])
    placed = _layout(vocabulary)
    for rank, (name, size, (down, right), turned) in enumerate(placed):
        # Pillow places the top left corner of the line, matplotlib the baseline.
        line = ImageFont.truetype(japanese_font(), size)
        ascent = line.getmetrics()[0]
        place = Affine2D().scale(1, -1)
        if turned:  # a quarter to the left, about the corner: the line's width goes down
            place = place.translate(0, ascent).rotate_deg(-90).translate(0, line.getlength(name))
        else:
            place = place.translate(0, ascent)
        outline = TextPath((0, 0), name, size=size, prop=font)
        patch = PathPatch(
            place.translate(right, down).transform_path(outline),
            facecolor=_COLOURS[rank % len(_COLOURS)],
            linewidth=0,
        )
        patch.set_gid(name)
        axes.add_artist(patch)
    return figure


def _layout(vocabulary: Vocabulary) -> list[tuple[str, int, tuple[int, int], bool]]:
    """Name, size in pixels, place of the upper left corner (down, right), and whether it is turned,
    of each word on a canvas of `_WIDTH` by `_HEIGHT`.
    """
    uses = dict[str, int]()
    for one in vocabulary.top[:WORDS]:
        name = shortened(one.name, _LONGEST_NAME).strip()
        if name:
            uses.setdefault(name, one.uses)
    if not uses:
        return []
    layout = WordCloud(
        font_path=str(japanese_font()),
        width=_WIDTH,
        height=_HEIGHT,
        max_words=WORDS,
        random_state=_SEED,
        margin=6,
        min_font_size=10,
        color_func=lambda *_args, **_more: BLACK,
    ).generate_from_frequencies(uses)
    return [
        (name, size, place, turned is not None)
        for (name, _share), size, place, turned, _colour in layout.layout_
    ]
