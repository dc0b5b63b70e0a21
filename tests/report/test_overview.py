from itertools import product

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dafre_fast.report.overview import chosen, class_names, one_of_each, overview
from dafre_fast.report.records import ImageClass, Share, Split

ROWS = pl.DataFrame(
    {
        "id": [5, 3, 9, 4, 8],
        "path": [f"{id:04d}/{id}.jpg" for id in (5, 3, 9, 4, 8)],
        "class_id": [0, 1, 1, 1, 2],
        "class_name": ["a", "b", "b", "b", None],
        "split": ["train", "train", "val", "train", "train"],
        "status": ["success", "success", "success", "truncated", "truncated"],
        "url": ["https://one.example:8000/5", "/data/3.png", "http://two/9", None, "http://two/8"],
        "width": [256, 400, 300, None, None],
        "height": [300, 256, 256, None, None],
        "bytes": [10, 20, 30, None, None],
    }
)


def told(rows: pl.DataFrame, **given: int):
    return overview(rows.lazy(), **{"classes": 9, "examples": 9, "seed": 1} | given)


def boxed(boxes: np.ndarray) -> pl.DataFrame:
    rows = pl.concat([ROWS.head(1)] * len(boxes))
    edges = zip(("left", "top", "right", "bottom"), boxes.T, strict=True)
    return rows.with_columns(pl.Series(name, own) for name, own in edges)


def test_images_are_counted_by_split_class_and_reason() -> None:
    found = told(ROWS)
    assert (found.images, found.made, found.made_classes) == (5, 3, 2)
    assert found.splits == [Split("train", 4, 2, 2), Split("val", 1, 1, 1)]
    assert found.class_sizes == [3, 1, 1]
    assert found.classes[0] == ImageClass(1, "b", 3, 2, {"train": 1, "val": 1, "test": 0})
    assert [one.name for one in found.classes] == ["b", "a", "class 2"]
    assert [(one.reason, one.images) for one in found.refused] == [("truncated", 2)]


def test_places_are_hosts_and_the_disk() -> None:
    assert told(ROWS).places == [
        Share("two", 2), Share("files on disk", 1), Share("one.example:8000", 1),
    ]  # fmt: skip


def test_sizes_are_those_of_what_was_made() -> None:
    (sizes,) = told(ROWS).sizes
    assert (sizes.name, sizes.images, sizes.total) == ("full image", 3, 60)
    assert (sizes.width.low, sizes.width.middle, sizes.width.high) == (256, 300, 400)


def test_only_the_wanted_number_of_classes_and_examples_is_named() -> None:
    found = told(ROWS, classes=1, examples=1)
    assert [one.name for one in found.classes] == ["b"]
    assert len(found.refused[0].examples) == 1
    assert found.class_sizes == [3, 1, 1]


def test_every_image_is_in_the_cell_of_its_size_in_a_grid_of_sizes() -> None:
    rows = ROWS.with_columns(original_width=pl.lit(1024), original_height=pl.lit(2048))
    grid = told(rows).original_sizes
    assert grid
    assert grid.across == (1024.0, 2048.0 * 2**0.25)
    assert (grid.cells[0][0], sum(map(sum, grid.cells))) == (5, 5)  # the tallest on top


edges = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(4)), elements=st.floats(-0.2, 1.2))


@given(edges)
def test_a_cell_counts_the_boxes_that_touch_it(drawn) -> None:
    boxes = np.concatenate([drawn[:, :2], np.maximum(drawn[:, :2], drawn[:, 2:])], axis=1)
    heads = told(boxed(boxes)).heads
    assert heads
    assert heads.images == len(boxes)
    size, within = len(heads.covered.cells), boxes.clip(0, 1) * len(heads.covered.cells)
    for down, across in product(range(0, size, 7), repeat=2):
        touching = [
            np.floor(left) <= across < np.ceil(right) and np.floor(top) <= down < np.ceil(bottom)
            for left, top, right, bottom in within
        ]
        assert heads.covered.cells[down][across] == sum(touching)


def test_boxes_that_are_no_numbers_are_left_out() -> None:
    boxes = np.array([[0.2, 0.2, 0.4, 0.4], [np.nan, 0, 1, 1], [0, 0, np.inf, 1]])
    heads = told(boxed(boxes)).heads
    assert heads
    assert heads.images == 1


many = pl.concat([ROWS.head(1)] * 100).with_columns(id=pl.Series(range(100)))


def test_the_choice_of_images_is_by_seed_and_whatever_the_order_of_rows() -> None:
    ids = [one.id for one in chosen(many.lazy(), "train", 10, 1)]
    assert len({*ids}) == 10
    assert ids == [one.id for one in chosen(many.reverse().lazy(), "train", 10, 1)]
    assert ids != [one.id for one in chosen(many.lazy(), "train", 10, 2)]


@given(st.integers(0, 2**32 - 1))
def test_every_image_is_chosen_where_there_are_no_more_than_wanted(seed) -> None:
    assert {one.id for one in chosen(many.lazy(), "train", 1000, seed)} == {*range(100)}


def test_only_images_that_were_made_stand_for_their_split_or_class() -> None:
    assert {one.id for one in chosen(ROWS.lazy(), "train", 9, 1)} == {3, 5}
    found = one_of_each(ROWS.lazy(), [0, 1, 2], 1)
    assert found.keys() == {0, 1}
    assert found[0].id == 5


def test_a_class_without_a_name_is_called_by_its_number() -> None:
    assert class_names(ROWS.lazy(), [1, 2]) == {1: "b", 2: "class 2"}
