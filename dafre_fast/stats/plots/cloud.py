"""The word cloud of the most used tags, larger ones for more uses.

The package wordcloud computes the layout from a fixed seed. Words are drawn as outlines, so that a
PDF or SVG is sharp and looks the same on every machine.
"""

from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D, Bbox
from PIL import Image, ImageFont
from wordcloud import WordCloud

from dafre_fast.stats.plots.style import (
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
)
from dafre_fast.stats.records import Vocabulary
from dafre_fast.views.figures import shortened

WORDS = 100
_WIDTH, _HEIGHT = 1200, 800
_LONGEST_NAME = 36
_SEED = 1
_COLOURS = (BLUE, VERMILION, GREEN, BLACK, PURPLE)


def cloud(title: str, vocabulary: Vocabulary) -> Figure:
    """Draw as many of the most used tags as fit, at most `WORDS`."""
    figure = Figure(figsize=(COLUMN, COLUMN * _HEIGHT / _WIDTH + 0.3), layout="constrained")
    axes = figure.subplots()
    axes.set_title(shortened(about(title, vocabulary), 52))
    axes.set(xlim=(0, _WIDTH), ylim=(_HEIGHT, 0), aspect="equal")
    axes.set_axis_off()
    for rank, placed in enumerate(_layout(vocabulary)):
        colour = _COLOURS[rank % len(_COLOURS)]
        axes.add_artist(PathPatch(_outline(placed), facecolor=colour, linewidth=0, gid=placed.name))
    return figure


class _Placed(NamedTuple):
    """A word on a canvas of `_WIDTH` by `_HEIGHT` pixels.

    `size` is that of its font in pixels, `down` and `right` are the upper left corner of its mask;
    `turned` words are rotated by 90 degrees counterclockwise.
    """

    name: str
    size: int
    down: int
    right: int
    turned: bool


def _outline(word: _Placed) -> Path:
    """Return the outline of a word at the place and within the size of the layout.

    The layout measures one font only; matplotlib may take a letter that it lacks from another one.
    """
    font = FontProperties(family=[JAPANESE, LATIN])
    letters = TextPath((0, 0), word.name, size=word.size, prop=font)
    place = Affine2D().scale(1, -1).rotate_deg(-90 if word.turned else 0)
    drawn, room = place.transform_path(letters).get_extents(), _ink(word)
    place.translate(-drawn.x0, -drawn.y0)
    if drawn.width and drawn.height:
        place.scale(min(1, room.width / drawn.width, room.height / drawn.height))
    return place.translate(room.x0, room.y0).transform_path(letters)


def _ink(word: _Placed) -> Bbox:
    """Return the box of pixels that the layout reserves for the letters."""
    font = ImageFont.truetype(japanese_font(), word.size)
    turn = Image.Transpose.ROTATE_90 if word.turned else None
    box = ImageFont.TransposedFont(font, turn).getmask(word.name).getbbox() or (0, 0, 0, 0)
    return Bbox.from_extents(*box).translated(word.right, word.down)


def _layout(vocabulary: Vocabulary) -> list[_Placed]:
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
        _Placed(name, size, down, right, turned is not None)
        for (name, _share), size, (down, right), turned, _colour in layout.layout_
    ]
