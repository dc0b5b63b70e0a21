import statistics
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.stats.counting import Counts, count, spread
from dafre_fast.stats.records import Spread

SCHEMA = {
    "id": pl.Int64,
    "file_ext": pl.String,
    "image_width": pl.Int64,
    "image_height": pl.Int64,
    "class_id": pl.Int64,
    **{f"tags_cat{category}": pl.List(pl.String) for category in (0, 3, 4)},
}
TAGS = st.none() | st.lists(
    st.sampled_from(["1 girl", "solo", "long_hair", "hair", "", "_ _", "初音 ミク", "a  b"]),
    max_size=5,
)
PIXELS = st.none() | st.integers(1, 4)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(0, 9),
            "file_ext": st.sampled_from(["jpg", "png", None]),
            "image_width": PIXELS,
            "image_height": PIXELS,
            "class_id": PIXELS,
            "tags_cat0": TAGS,
            "tags_cat3": TAGS,
            "tags_cat4": TAGS,
        }
    ),
    min_size=1,
    max_size=10,
)
Row = dict[str, object]


def counted(rows: list[Row], *, words: bool = True) -> Counts:
    return count(pl.DataFrame(rows, schema=SCHEMA, orient="row").lazy(), words=words)


def ranked(values: list[object]) -> list[tuple[object, int]]:
    """Return values with their counts, most frequent first, ties in order of their UTF-8."""
    return sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))


def words_of(tags: list[str]) -> list[str]:
    return [word for tag in tags for word in tag.replace("_", " ").split(" ") if word]


@given(ROWS)
def test_images_are_counted_as_by_plain_python(rows) -> None:
    found = counted(rows)
    assert found.images == len(rows)
    extensions = [row["file_ext"] for row in rows]
    known = any(extensions)
    assert found.extensions.rows() == ranked([one or "unknown" for one in extensions] * known)
    sizes = [(row["image_width"], row["image_height"]) for row in rows]
    whole = Counter(size for size in sizes if None not in size)
    assert found.sizes.rows() == [(*size, number) for size, number in sorted(whole.items())]
    classes = [row["class_id"] for row in rows if row["class_id"] is not None]
    assert found.classes.rows() == ranked(classes)


@given(ROWS)
def test_tags_and_words_are_counted_as_by_plain_python(rows) -> None:
    found = counted(rows)
    tags, numbers = [], []
    for category, level in ((0, "tags"), (0, "words"), (3, "tags"), (4, "tags")):
        values = [row[f"tags_cat{category}"] for row in rows]
        lists = [one if level == "tags" else words_of(one) for one in values if one is not None]
        used = ranked([tag for one in lists for tag in one])
        tags += [(category, level, *row) for row in used]
        numbers += [(category, level, *row) for row in Counter(map(len, lists)).items()]
    assert found.tags.rows() == tags
    assert sorted(found.per_image.rows()) == sorted(numbers)


def test_words_are_counted_only_if_asked_for() -> None:
    row = dict.fromkeys(SCHEMA) | {"id": 1, "tags_cat0": ["1 girl"]}
    assert counted([row], words=False).tags.rows() == [(0, "tags", "1 girl", 1)]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), max_size=8))
def test_a_spread_is_that_of_all_repeated_values(pairs) -> None:
    values = [value for value, times in pairs for _ in range(times)]
    found = spread(
        pl.Series([value for value, _ in pairs], dtype=pl.Int64),
        pl.Series([times for _, times in pairs], dtype=pl.Int64),
    )
    assert found.mean == (statistics.mean(values) if values else None)
    assert found.median == (statistics.median(values) if values else None)
    assert found.std == (pytest.approx(statistics.stdev(values)) if len(values) > 1 else None)


def test_the_standard_deviation_is_that_of_a_sample() -> None:
    assert spread(pl.Series([1, 3])) == Spread(mean=2.0, median=2.0, std=2**0.5)


def test_large_numbers_of_uses_do_not_overflow() -> None:
    many = pl.Series([3_000_000, 90_000_000, 2_000_000_000])
    assert spread(many).mean == 2_093_000_000 / 3
