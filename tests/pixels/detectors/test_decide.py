"""Flags win over files beside a model, these over its metadata, and these over its shapes."""

import numpy as np
import pytest

from dafre_fast.core.errors import UsageError
from dafre_fast.pixels.detectors.beside import Beside
from dafre_fast.pixels.detectors.decide import Class, Options
from dafre_fast.pixels.detectors.detector import load
from tests.pixels.detectors import models


def class_of(labels: list[str], **options: object) -> Class:
    return load(models.yolo8(labels), Options(**options)).kind


def test_labels_beside_the_model_win_over_its_metadata() -> None:
    beside = Beside(labels=("body", "head"))
    assert class_of(["head", "body"]) == Class(0, "head")
    assert class_of(["head", "body"], beside=beside) == Class(1, "head")
    assert class_of(["head", "body"], beside=beside, kind="body") == Class(0, "body")


@pytest.mark.parametrize(
    ("labels", "number"),
    [
        (["Head"], 0),
        (["body", "HEADS"], 1),
        (["heads", "head"], 1),
        (["anime_head", "hand"], 0),
    ],
)
def test_heads_are_found_by_their_name(labels, number) -> None:
    assert class_of(labels) == Class(number, labels[number])


def test_a_model_of_faces_alone_has_to_be_chosen() -> None:
    with pytest.raises(UsageError, match="finds 'face', no heads; choose it with --class 'face'"):
        class_of(["face"])
    assert class_of(["face"], kind="face") == Class(0, "face")
    assert class_of(["face"], kind="Face") == Class(0, "face")


def test_the_only_class_without_a_name_is_taken() -> None:
    assert load(models.yolo5(), Options()).kind == Class(0, "")


@pytest.mark.parametrize("kind", ["1", "2", "-1", "0.5", "", "tail"])
def test_a_class_that_is_not_there_is_refused_without_labels_too(kind) -> None:
    with pytest.raises(UsageError, match=f"has no class '{kind}'; its classes are 0 to 0"):
        load(models.yolo5(), Options(kind=kind))


def test_another_number_of_labels_than_of_classes_is_refused() -> None:
    with pytest.raises(UsageError, match=r"tells 1 classes, and labels\.json beside it names 2"):
        class_of(["head"], beside=Beside(labels=("head", "body")))


def test_the_type_beside_a_model_decides_where_shapes_do_not() -> None:
    data = models.constant(output0=np.zeros((1, 300, 6)))
    assert load(data, Options()).family.name == "yolo10"
    beside = Beside(labels=("head", "body"), type="rtdetr")
    assert load(data, Options(beside=beside)).family.name == "rtdetr"
    assert load(data, Options(beside=beside, family="yolo10")).family.name == "yolo10"


def test_the_type_yolo_leaves_the_layout_to_the_shapes() -> None:
    assert load(models.yolo5(), Options(beside=Beside(type="yolo"))).family.name == "yolo5"


def test_two_classes_of_rtdetr_are_told_from_yolo10_by_their_scores() -> None:
    rows = np.random.default_rng(1).uniform(0.01, 0.4, (1, 300, 6))
    data = models.constant(output0=rows)
    assert load(data, Options(kind="0")).family.name == "rtdetr"


@pytest.mark.parametrize("task", ["segment", "pose", "obb", "classify"])
def test_a_model_for_another_task_is_refused(task) -> None:
    with pytest.raises(UsageError, match=f"is a model for '{task}', where one for 'detect'"):
        load(models.yolo8(task=task), Options())


def test_stride_and_size_are_those_of_the_maker() -> None:
    output, metadata = np.zeros((1, 5, 9)), {"imgsz": "[320, 320]", "stride": "64"}
    data = models.constant(output0=output, free=True, metadata=metadata)
    detector = load(data, Options())
    assert (detector.side, detector.family.step) == (320, 64)
    assert load(data, Options(side=480)).side == 480


@pytest.mark.parametrize(
    ("name", "side"), [("faceboxes", 1024), ("yolo8", 640), ("yolo5", 640), ("yolo3", 512)]
)
def test_the_family_has_a_side_where_nothing_says_one(name, side) -> None:
    data = models.with_box(name, (0, 0, 0, 0), 0, free=True)
    assert load(data, Options()).side == side


def test_a_side_that_the_network_does_not_take_is_refused() -> None:
    with pytest.raises(UsageError, match="takes pictures of 256 x 256, which --detect-side cannot"):
        load(models.yolo8(), Options(side=640))
    assert load(models.yolo8(), Options(side=256)).side == 256
