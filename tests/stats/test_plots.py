import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Wedge

from dafre_fast.core.summaries import Funnel, Step, TagCount, TagFunnel, TagStep
from dafre_fast.stats.plots import Data, Sizes, draw
from dafre_fast.stats.plots.classes import long_tail
from dafre_fast.stats.plots.cloud import cloud
from dafre_fast.stats.plots.funnel import whole
from dafre_fast.stats.plots.histogram import histogram
from dafre_fast.stats.plots.images import formats, join_small, sizes
from dafre_fast.stats.plots.style import drawing, save
from dafre_fast.stats.records import (
    Level,
    Spread,
    Used,
    Vocabulary,
)
from dafre_fast.views.figures import kept, shortened, ticks

NOTHING = Spread(None, None, None)


def vocabulary(uses: dict[str, int], level: Level = Level.TAGS, **given: Any) -> Vocabulary:
    top = [Used(*item) for item in uses.items()]
    known = {"unique": len(uses), "uses": sum(uses.values()), "images": 1}
    spreads = {"per_use": NOTHING, "per_image": NOTHING}
    return Vocabulary(**{"category": 0, "level": level, "top": top, **known, **spreads} | given)


def many(number: int) -> dict[str, int]:
    """Return tags whose uses are distributed like those of real ones."""
    return {f"a tag called {rank}": 10_000 // rank for rank in range(1, number + 1)}


def svg(figure: Figure, folder: Path) -> str:
    with drawing():
        save(figure, folder / "plot.svg", "svg")
    return (folder / "plot.svg").read_text()


def tick_labels(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def lengths(axes: Axes) -> list[float]:
    return [bar.get_width() for bar in axes.patches]


def test_a_labelled_histogram_has_names_and_uses_of_the_first_twenty() -> None:
    with drawing():
        figure = histogram("DAF:re", vocabulary(many(30)), 20, labelled=True)
    (axes,) = figure.axes
    first = [*many(30).items()][:20]
    assert tick_labels(axes) == [name for name, _ in first]
    assert lengths(axes) == [uses for _, uses in first]
    assert [text.get_text() for text in axes.texts] == [f"{uses:,}" for _, uses in first]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first one is on top
    assert figure.get_suptitle() == "DAF:re: general tags\n20 most used of 30"


def test_a_histogram_without_labels_goes_by_rank() -> None:
    words = vocabulary(many(70), Level.WORDS)
    with drawing():
        figure = histogram("DAF:re", words, 50, labelled=False)
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [*many(70).values()][:50]
    assert axes.get_xlabel() == "rank of the word"
    assert figure.get_suptitle() == "DAF:re: words of general tags\n50 most used of 70"


@pytest.mark.parametrize(("number", "shown"), [(1, "1 tag"), (3, "3 tags")])
def test_fewer_tags_than_bars_are_all_drawn(number, shown) -> None:
    with drawing():
        figure = histogram("x", vocabulary(many(number)), 20, labelled=True)
    assert len(figure.axes[0].patches) == number
    assert figure.get_suptitle() == f"x: general tags\n{shown}"


def boxes(figure: Figure) -> dict[str, Any]:
    """Return the box around each word of a cloud, in pixels of its layout."""
    words = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    return {str(word.get_gid()): word.get_path().get_extents() for word in words}


def ink(figure: Figure, name: str | None = None) -> np.ndarray[Any, Any]:
    """Draw the words of a cloud, or one of them. Return the inked pixels: bool (rows, columns)."""
    for patch in figure.axes[0].patches:
        patch.set(visible=name in {None, patch.get_gid()}, facecolor="black")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 0] < 128


@pytest.mark.slow
def test_words_of_a_cloud_overlap_nowhere_and_stay_inside() -> None:
    uses = many(60) | {"初音ミク": 4000, "艦隊これくしょん": 3000, "jeanne d'arc_(fate)": 2000}
    with drawing():
        figure = cloud("x", vocabulary(uses))
        placed = boxes(figure)
        figure.axes[0].set_title("")
        alone = sum(ink(figure, name).astype(int) for name in placed)
    assert len(placed) > 50
    for box in placed.values():
        assert 0 <= box.x0 < box.x1 <= 1200
        assert 0 <= box.y0 < box.y1 <= 800
    assert alone.max() == 1


def test_a_cloud_has_the_most_used_word_largest() -> None:
    with drawing():
        placed = boxes(cloud("x", vocabulary({"aaaa": 100, "bbbb": 30, "cccc": 5})))
    areas = [placed[name].width * placed[name].height for name in ("aaaa", "bbbb", "cccc")]
    assert all(more > less for more, less in pairwise(areas))


@pytest.mark.parametrize("name", ["x", "y" * 300, "初音ミク" * 50, "가나다", " ", "\0", "$a$"])
def test_a_cloud_of_any_single_word_is_drawn(tmp_path, name) -> None:
    with drawing():
        figure = cloud("x", vocabulary({name: 5}))
    drawn = boxes(figure)
    assert len(drawn) == (0 if name == " " else 1)
    assert all(box.x1 <= 1200 for box in drawn.values())
    assert "</svg>" in svg(figure, tmp_path)


def test_the_long_tail_has_every_class_on_logarithmic_axes() -> None:
    with drawing():
        figure = long_tail("DAF:re", [900, 30, 20, 1])
    (axes,) = figure.axes
    assert axes.lines[0].get_xydata().tolist() == [[1, 900], [2, 30], [3, 20], [4, 1]]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in axes.texts] == ["median 25"]
    assert figure.get_suptitle() == "DAF:re\n951 images of 4 classes"


def test_a_single_class_is_drawn(tmp_path) -> None:
    with drawing():
        figure = long_tail("x", [7])
    assert figure.get_suptitle() == "x\n7 images of 1 class"
    assert "</svg>" in svg(figure, tmp_path)


def test_few_sizes_are_drawn_as_dots() -> None:
    pixels = np.array([100, 200]), np.array([300, 50]), np.array([1, 4])
    with drawing():
        figure = sizes("x", *pixels)
    (dots,) = figure.axes[0].collections
    assert dots.get_offsets().tolist() == [[100, 300], [200, 50]]
    assert figure.get_suptitle() == "x\nsizes of 5 images"


def test_many_sizes_are_counted_in_cells_and_none_is_lost() -> None:
    rng = np.random.default_rng(0)
    width, height = rng.integers(1, 10_000, (2, 5000))
    images = rng.integers(1, 100, 5000)
    with drawing():
        figure = sizes("x", width, height, images)
    (cells,) = figure.axes[0].collections
    assert cells.get_array().sum() == images.sum()
    assert len(figure.axes) == 2  # one is the scale of colours


def test_formats_are_slices_with_shares() -> None:
    with drawing():
        figure = formats("x", {"jpg": 722, "png": 276, "gif": 2})
    (axes,) = figure.axes
    angles = [wedge.theta2 - wedge.theta1 for wedge in axes.patches if isinstance(wedge, Wedge)]
    assert [abs(angle) / 360 for angle in angles] == pytest.approx([0.722, 0.276, 0.002], abs=1e-4)
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == ["jpg  72.2%  (722)", "png  27.6%  (276)", "gif  0.2%  (2)"]


def test_several_small_formats_are_one_slice() -> None:
    one_small = {"jpg": 961, "png": 20, "gif": 19}
    assert join_small(one_small) == one_small
    assert join_small({"jpg": 97, "gif": 1, "webp": 1, "swf": 1}) == {"jpg": 97, "3 others": 3}


FUNNEL = Funnel(
    [
        Step("rows of faces.tsv", 977_356, 49_087),
        Step("confidence >= 0.85", 561_557, 34_488),
        Step("train", 300_000, 30_000),
        Step("test", 200_000, 20_000),
        Step("made", 561_000, 34_000),
    ]
)


def test_a_funnel_has_every_step_with_its_number_and_share(tmp_path) -> None:
    tags = TagFunnel([TagStep("raw", 9, {0: TagCount(100, 5000), 4: TagCount(3, 7)})])
    with drawing():
        figure = whole("DAF:re", FUNNEL, tags)
    images, classes, unique, *others = figure.axes
    assert lengths(images)[:5] == [977_356, 561_557, 300_000, 200_000, 561_000]
    assert lengths(classes)[:5] == [49_087, 34_488, 30_000, 20_000, 34_000]
    assert [text.get_text() for text in images.texts] == [
        "977,356",
        "561,557   57.5%",
        "300,000   53.4%",
        "200,000   35.6%",
        "561,000   99.9%",
    ]
    assert tick_labels(images) == [step.name for step in FUNNEL.steps]
    assert [axes.get_title("left") for axes in (unique, *others)] == [
        "general tags, unique",
        "general tags, uses",
        "character tags, unique",
        "character tags, uses",
    ]
    drawn = svg(figure, tmp_path)
    for text in ("confidence &gt;= 0.85", "561,557   57.5%", "DAF:re", "5,000"):
        assert f"<!-- {text} -->" in drawn


def test_shares_are_of_the_last_step_that_is_not_a_split() -> None:
    names = ["all", "kept", "train", "val", "test", "made"]
    assert kept(names, [100, 50, 30, 5, 15, 40]) == [None, 0.5, 0.6, 0.1, 0.3, 0.8]
    assert kept(["all", "none", "none"], [5, 0, 0]) == [None, 0, None]


def test_an_svg_has_outlines_of_its_text_which_is_never_read_as_mathematics(tmp_path) -> None:
    names = {"初音ミク": 5, "$_and_$": 4, "<tag> & more": 3}
    with drawing():
        figure = histogram("東方", vocabulary(names), 20, labelled=True)
    drawn = svg(figure, tmp_path)
    for text in ("初音ミク", "$_and_$", "&lt;tag&gt; &amp; more", "東方: general tags"):
        assert f"<!-- {text} -->" in drawn
    assert "<text" not in drawn


@pytest.mark.parametrize(("name", "missing"), [("博麗霊夢", False), ("가나다", True)])
def test_japanese_letters_are_in_the_fonts(name, missing) -> None:
    with drawing():
        figure = histogram("東方", vocabulary({name: 5}), 20, labelled=True)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            FigureCanvasAgg(figure).draw()
    assert any("missing from font" in str(one.message) for one in warned) == missing


def test_a_pdf_has_the_letters_as_text_of_embedded_fonts(tmp_path) -> None:
    with drawing():
        save(long_tail("x", [5, 3]), tmp_path / "plot.pdf", "pdf")
    pdf = (tmp_path / "plot.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf  # TrueType; Type 3 would be outlines
    assert b"CreationDate" not in pdf


def test_drawing_does_not_change_the_settings_of_matplotlib() -> None:
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 99}):
        with drawing():
            assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["font.size"] == 99
    assert dict(mpl.rcParams) == before


def test_drawing_imports_neither_pyplot_nor_a_package_that_sets_fonts() -> None:
    code = (
        "import sys; from dafre_fast.stats import plots\n"
        "with plots.drawing(): plots.images.formats('x', {'jpg': 1})\n"
        "assert not {'matplotlib.pyplot', 'matplotlib_fontja'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_counting_without_plots_imports_no_plotting_library() -> None:
    code = (
        "import sys; import dafre_fast.stats.run\n"
        "assert not {'matplotlib', 'wordcloud', 'PIL'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plot_without_data_is_not_drawn_and_has_a_reason(tmp_path) -> None:
    none = np.array([], np.int64)
    empty = vocabulary({}, Level.WORDS)
    no_tags = TagFunnel([TagStep("raw", 5, {})])
    data = Data("x", [empty], [], {}, Sizes(none, none, none), None, no_tags)
    found = draw(data, tmp_path, "png")
    assert found.files == []
    assert found.not_drawn == {
        "histogram_words_cat0_top20": "no words",
        "histogram_words_cat0_top50_unlabelled": "no words",
        "wordcloud_words_cat0": "no words",
        "classes_long_tail": "no classes",
        "funnel": "no funnel.json",
        "sizes": "no image sizes",
        "formats": "no file extensions",
    }
    assert [*tmp_path.iterdir()] == []


@given(st.text(max_size=30), st.integers(1, 20))
def test_a_short_name_is_unchanged_and_a_long_one_ends_in_dots(text, width) -> None:
    found = shortened(text, width)
    assert len(found) <= max(width, 1)
    assert found.isprintable()
    if text.isascii() and text.isprintable() and len(text) <= width:
        assert found == text
    elif text.isascii():
        assert found.endswith("…") == (len(text) > width)


def test_wide_letters_take_two_columns() -> None:
    assert shortened("初音ミク", 8) == "初音ミク"
    assert shortened("初音ミク", 7) == "初音…"


@given(st.integers(1, 10**7), st.floats(1.3, 10**6))
def test_ticks_are_round_and_within_the_bounds(low, ratio) -> None:
    found = ticks(low, low * ratio)
    assert found == sorted(found)
    assert all(low <= one <= low * ratio for one in found)
    assert all(len(str(one).rstrip("0")) == 1 for one in found)
    assert len(found) <= 8


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.8, 2.5, [1, 2]),
        (690, 1400, [700, 800, 900, 1000]),
        (90, 6000, [100, 200, 500, 1000, 2000, 5000]),
        (0.8, 4e6, [10**power for power in range(7)]),
    ],
)
def test_there_are_at_most_six_ticks(low, high, expected) -> None:
    assert ticks(low, high) == expected
