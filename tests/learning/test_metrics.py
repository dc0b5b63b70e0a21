"""Figures of a recogniser from its answers; without PyTorch."""

import numpy as np
import pytest

from dafre_fast.learning.metrics import Answers, Rate, score, wilson


def answers(truth, likeliest, sure=0.9) -> Answers:
    first = np.array(likeliest, np.int64)
    classes = np.stack((first, (first + 1) % 4), 1)
    shares = np.full(classes.shape, 1 - sure)
    shares[:, 0] = sure
    return Answers(np.array(truth, np.int64), classes, shares)


SOME = answers([0, 0, 0, 0, 1, 1, 2, 3], [0, 0, 0, 1, 1, 2, 2, 2])
CLASS_SIZES = [300, 19, 20, 7]


def test_top_1_counts_the_likeliest_top_5_those_kept_and_macro_classes_alike() -> None:
    found = score(SOME, CLASS_SIZES)
    assert found.images == 8
    assert found.top1.share == 5 / 8
    assert found.top5.share == 6 / 8
    assert found.macro.share == pytest.approx((3 / 4 + 1 / 2 + 1 + 0) / 4)


def test_shares_by_class_size_cover_every_image_and_leave_empty_bands_open() -> None:
    found = score(SOME, CLASS_SIZES).by_size
    told = [(one.least, one.most, one.classes, one.images, one.top1) for one in found]
    assert told == [
        (1, 19, 2, 3, pytest.approx(1 / 3)),
        (20, 49, 1, 1, 1.0),
        (50, 199, 0, 0, None),
        (200, None, 1, 4, 0.75),
    ]


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (0, 0, 0.0, 1.0)],
)
def test_intervals_are_wilsons(right, images, low, high) -> None:
    found = wilson(right, images)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_the_calibration_error_is_the_mean_distance_of_probability_and_share_right() -> None:
    found = score(SOME, CLASS_SIZES)
    assert found.calibration_error == pytest.approx(0.9 - 5 / 8)
    (only,) = found.calibration
    assert (only.least, only.images, only.right) == (0.9, 8, 5 / 8)


def test_a_probability_of_1_is_in_the_last_bin() -> None:
    found = score(answers([0], [0], sure=1.0), [1]).calibration
    assert [(one.least, one.most) for one in found] == [(0.9, 1.0)]


def test_confused_pairs_come_most_often_first_with_the_images_of_the_class() -> None:
    wrong = answers([0, 0, 0, 1, 1], [1, 1, 0, 0, 1])
    told = [(one.truth, one.answer, one.images, one.of) for one in score(wrong, [1, 1]).confused]
    assert told == [(0, 1, 2, 3), (1, 0, 1, 2)]


def test_nothing_judged_gives_no_share_but_no_error() -> None:
    none = Answers(np.zeros(0, np.int64), np.zeros((0, 1), np.int64), np.zeros((0, 1)))
    found = score(none, [3])
    assert (found.images, found.top1, found.macro) == (0, Rate(0.0, 0.0, 1.0), Rate(0.0, 0.0, 1.0))
