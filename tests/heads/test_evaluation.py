"""Boxes that were found are judged by boxes that are known."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dafre_fast.core.records import Box
from dafre_fast.heads.evaluation import judge, match

HEAD = (0.2, 0.2, 0.6, 0.6)
BESIDE = (0.25, 0.2, 0.65, 0.6)
ELSEWHERE = (0.7, 0.7, 0.9, 0.9)
_SCHEMA = {"id": pl.Int64, **dict.fromkeys(Box._fields, pl.Float64)}


def found(*boxes: tuple[int, tuple, float]) -> pl.DataFrame:
    rows = [(image, *box, score) for image, box, score in boxes]
    return pl.DataFrame(rows, {**_SCHEMA, "score": pl.Float64}, orient="row")


def known(*boxes: tuple[int, tuple]) -> pl.DataFrame:
    return pl.DataFrame([(image, *box) for image, box in boxes], _SCHEMA, orient="row")


def at(threshold: float, boxes: pl.DataFrame, truth: pl.DataFrame):
    return judge(boxes, truth, [threshold])[0]


def test_a_head_that_is_found_counts_for_recall_and_precision() -> None:
    judged = at(0.3, found((1, HEAD, 0.9)), known((1, HEAD)))
    assert (judged.recall, judged.precision, judged.overlap, judged.counted) == (1, 1, 1, 1)


def test_a_head_that_is_not_found_lowers_recall_alone() -> None:
    judged = at(0.3, found((1, HEAD, 0.9)), known((1, HEAD), (2, HEAD)))
    assert (judged.recall, judged.precision, judged.counted) == (0.5, 1, 0.5)


def test_a_box_elsewhere_lowers_precision_alone() -> None:
    judged = at(0.3, found((1, HEAD, 0.9), (1, ELSEWHERE, 0.8)), known((1, HEAD)))
    assert (judged.recall, judged.precision, judged.counted) == (1, 0.5, 0)


def test_a_second_box_on_the_same_head_is_wrong() -> None:
    judged = at(0.3, found((1, HEAD, 0.9), (1, BESIDE, 0.8)), known((1, HEAD)))
    assert (judged.matched, judged.found) == (1, 2)


def test_a_box_below_the_threshold_is_not_found() -> None:
    boxes, truth = found((1, HEAD, 0.5)), known((1, HEAD))
    assert at(0.5, boxes, truth).found == 1
    assert at(0.51, boxes, truth).found == 0


def test_the_overlap_is_the_mean_of_those_that_match() -> None:
    judged = at(0.3, found((1, BESIDE, 0.9)), known((1, HEAD)))
    assert judged.overlap == pytest.approx(0.35 / 0.45)


def test_images_without_a_known_box_are_not_judged() -> None:
    assert at(0.3, found((1, HEAD, 0.9), (7, HEAD, 0.9)), known((1, HEAD))).found == 1


def test_nothing_found_and_nothing_known_are_zeros() -> None:
    assert at(0.3, found(), known((1, HEAD))).recall == 0
    assert at(0.3, found((1, HEAD, 0.9)), known()).precision == 0


edges = st.floats(0, 1, allow_nan=False, width=32)
boxes = st.tuples(edges, edges, edges, edges).map(
    lambda box: (min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3]))
)
images = st.integers(0, 3)


@given(
    st.lists(st.tuples(images, boxes, edges), max_size=12),
    st.lists(st.tuples(images, boxes), max_size=12),
)
def test_matches_are_as_if_made_one_by_one(here, there) -> None:
    matched = match(found(*here), known(*there))
    assert sorted(matched["score"].to_list()) == pytest.approx(sorted(one_by_one(here, there)))


def one_by_one(here: list, there: list) -> list[float]:
    """Return the scores of all matches, made in a loop."""
    pairs = [
        (-score, -overlap(box, truth), one, other)
        for one, (image, box, score) in enumerate(here)
        for other, (of, truth) in enumerate(there)
        if image == of and overlap(box, truth) >= 0.5
    ]
    scores, ones, others = [], set(), set()
    for score, _, one, other in sorted(pairs):
        if one not in ones and other not in others:
            scores.append(-score)
            ones.add(one)
            others.add(other)
    return scores


def overlap(a: tuple, b: tuple) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    sizes = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    both = width * height
    return both / (sizes - both) if sizes - both > 0 else 0.0
