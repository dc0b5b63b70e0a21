"""The style of all plots: fonts for a column of a paper, also in Japanese; colours for colour-blind
readers; files without dates.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib import style as styles
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter

from dafre_fast.core.atomic import replacing
from dafre_fast.core.categories import CATEGORY_NAMES
from dafre_fast.stats.records import Level, Vocabulary
from dafre_fast.views.figures import ticks

COLUMN, PAGE = 3.5, 7.2
"""Widths of one and of two columns of a paper, in inches."""

# Okabe and Ito, "Color Universal Design" (2008).
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#999999"
OF_CATEGORY = {0: BLUE, 3: GREEN, 4: VERMILION}

LATIN, JAPANESE = "DejaVu Sans", "IPAexGothic"
_SETTINGS = {
    "font.family": [LATIN, JAPANESE],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.6,
    "savefig.dpi": 300,
    "savefig.bbox": "tight",
    "savefig.pad_inches": 0.03,
    "text.parse_math": False,  # a tag may have two dollar signs
    # A PDF carries its fonts, so text stays text. An SVG does not: it would show boxes for Japanese
    # names on machines without the font, so it gets outlines.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "dafre_fast",
}
_UNDATED = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


@cache
def japanese_font() -> Path:
    """Return the file of IPAex Gothic, and register the font with matplotlib.

    Its package is not imported: that would change the font of every plot of this process.
    """
    found = find_spec("matplotlib_fontja")
    assert found
    assert found.origin
    path = Path(found.origin).with_name("fonts") / "ipaexg.ttf"
    font_manager.fontManager.addfont(path)
    return path


@contextmanager
def drawing() -> Iterator[None]:
    """Apply this style within the context, whatever the user's matplotlibrc says."""
    japanese_font()
    with mpl.rc_context(), warnings.catch_warnings():
        # A letter that is in neither font is drawn as a box, without a warning.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        styles.use(["default", _SETTINGS])
        yield


def save(figure: Figure, path: Path, format: str) -> None:
    """Write the file of a figure, complete or not at all. Raises OutputError if that fails."""
    with replacing(path) as part:
        figure.savefig(part, format=format, metadata=_UNDATED[format])


def about(title: str, vocabulary: Vocabulary) -> str:
    """Return a title such as `DAF:re: words of general tags`."""
    name = f"{CATEGORY_NAMES[vocabulary.category]} tags"
    return f"{title}: {'words of ' * (vocabulary.level is Level.WORDS)}{name}"


def behind(axes: Axes, text: str, end: tuple[float, float], size: float) -> None:
    """Write text just to the right of the end of a bar. `size` is in points."""
    axes.annotate(text, end, xytext=(3, 0), textcoords="offset points", va="center", fontsize=size)


def plain_numbers(axis: Axis) -> None:
    """Write ticks as `1,000`, without minor labels."""
    axis.set_major_formatter(lambda number, _: f"{number:,.0f}")
    axis.set_minor_formatter(NullFormatter())


def log_scale(axes: Axes, which: str, low: float, high: float) -> None:
    """Make axis `which` (x or y) logarithmic, with readable ticks at whole numbers."""
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(ticks(low, high)))
    plain_numbers(axis)
