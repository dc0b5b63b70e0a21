"""A detector finds heads: whatever the family, the backend and the size of the picture."""

import numpy as np
import onnx
import pytest

from dafre_fast.core.errors import Refusal, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.pixels.detectors.decide import Options
from dafre_fast.pixels.detectors.detector import load
from tests.pixels.detectors import models
from tests.pixels.detectors.models import FAMILIES

STRETCHED = {"rtdetr", "faceboxes"}


def with_squares(width: int, height: int, *squares: tuple[int, int, int, int]) -> np.ndarray:
    """Return a white picture with black rectangles at left, top, right, bottom, in pixels."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    for left, top, right, bottom in squares:
        pixels[top:bottom, left:right] = 0
    return pixels


@pytest.fixture(params=["opencv", "onnxruntime"])
def backend(request) -> str:
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    return request.param


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_recognised_by_its_outputs(family, backend) -> None:
    assert load(FAMILIES[family](), Options(backend=backend)).family.name == family


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_finds_a_head_as_shares_of_the_picture(family, backend) -> None:
    detector = load(FAMILIES[family](), Options(backend=backend))
    top, bottom = (72, 264) if family in STRETCHED else (32, 288)
    (head,) = detector.find(with_squares(512, 384, (96, top, 352, bottom)))
    assert head.box == pytest.approx((96 / 512, top / 384, 352 / 512, bottom / 384), abs=2e-3)
    assert head.score > 0.9


def test_heads_come_with_the_surest_first() -> None:
    sure, less = (16, 16, 144, 144), (112, 112, 240, 238)
    found = load(models.yolo8(), Options()).find(with_squares(256, 256, less, sure))
    assert [head.box[0] for head in found] == [16 / 256, 112 / 256]
    assert found[0].score == 1 > found[1].score > 0.9


def test_a_box_that_overlaps_a_better_one_is_the_same_head() -> None:
    squares = with_squares(256, 256, (16, 16, 176, 144))  # fills two windows that overlap by 60%
    assert len(load(models.yolo8(), Options(nms=0.7)).find(squares)) == 2
    assert len(load(models.yolo8(), Options(nms=0.5)).find(squares)) == 1


def test_a_box_below_the_threshold_is_no_head() -> None:
    pale = with_squares(256, 256, (16, 16, 144, 136))
    assert load(models.yolo8(), Options(threshold=0.7)).find(pale)
    assert not load(models.yolo8(), Options(threshold=0.8)).find(pale)


def test_a_picture_without_a_head_has_none() -> None:
    assert load(models.yolo8(), Options()).find(with_squares(300, 500)) == []


def test_the_class_called_head_is_the_one_to_look_for() -> None:
    square = with_squares(256, 256, (16, 16, 144, 144))
    assert load(models.yolo8(["head", "body"]), Options()).find(square)
    assert not load(models.yolo8(["body", "head"]), Options()).find(square)


@pytest.mark.parametrize("kind", ["face", "0"])
def test_another_class_can_be_chosen_by_name_or_number(kind) -> None:
    detector = load(models.yolo8(["face", "hand"]), Options(kind=kind))
    assert detector.find(with_squares(256, 256, (16, 16, 144, 144)))


def test_several_classes_without_a_head_ask_for_a_choice() -> None:
    with pytest.raises(
        UsageError, match=r"several classes \(face, hand\): choose one with --class"
    ):
        load(models.yolo8(["face", "hand"]), Options())


def test_a_class_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="no class 'tail'; its classes are face, hand"):
        load(models.yolo8(["face", "hand"]), Options(kind="tail"))


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"PK\3\4 no model", b"\xff\xd8\xff\xe0" * 50, models.yolo8()[:300]]
)
def test_a_file_that_is_no_model_is_named_so(data) -> None:
    with pytest.raises(UsageError, match=r"not an ONNX model|takes 0 inputs|cannot read"):
        load(data, Options())


def test_outputs_of_no_known_family_are_named_with_their_shapes(backend) -> None:
    data = models.constant(scores=np.zeros((1, 1000)))
    with pytest.raises(UsageError, match=r"scores \[1, 1000\], which is none of the layouts"):
        load(data, Options(backend=backend))


def boxes_of_yolo8(*columns: tuple[float, ...]) -> bytes:
    return models.constant(output0=np.pad(np.array(columns).T, ((0, 0), (0, 60)))[None])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ((50, 50, 20, 20, np.nan), "a score is not a number"),
        ((np.nan, 50, 20, 20, 0.9), "a box is not a number"),
        ((50, 50, 20, 20, 7.5), "a score is 7.5, not between 0 and 1"),
        ((50, 50, 20, 20, -3), "a score is -3, not between 0 and 1"),
    ],
)
def test_outputs_that_are_no_boxes_and_scores_refuse_the_picture(column, message) -> None:
    with pytest.raises(Refusal, match=message) as refused:
        load(boxes_of_yolo8(column), Options(backend="opencv")).find(with_squares(256, 256))
    assert refused.value.reason is Reason.DETECTOR_FAILED


def test_a_box_is_cut_at_the_edge_of_the_picture() -> None:
    detector = load(boxes_of_yolo8((0, 128, 64, 64, 0.9)), Options())
    (head,) = detector.find(with_squares(256, 256))
    assert head.box == (0, 0.375, 0.125, 0.625)


def test_a_box_outside_the_picture_is_no_head() -> None:
    detector = load(boxes_of_yolo8((-50, 128, 64, 64, 0.9)), Options())
    assert detector.find(with_squares(256, 256)) == []


def test_thousands_of_boxes_are_as_many_heads_at_most(backend) -> None:
    rows = np.zeros((1, 5, 60_000))
    rows[0, :4] = np.random.default_rng(1).uniform(20, 200, (4, 60_000))
    rows[0, 4] = 0.9
    found = load(models.constant(output0=rows), Options(backend=backend)).find(
        with_squares(256, 256)
    )
    assert 0 < len(found) <= 1000


def edited(change) -> bytes:
    model = onnx.ModelProto.FromString(models.yolo8())
    change(model)
    return model.SerializeToString()


def of_a_newer_opset(model) -> None:
    model.opset_import[0].version = 99


def of_an_unknown_node(model) -> None:
    model.graph.node[0].op_type = "Convolve"


def of_bytes(model) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8


@pytest.mark.parametrize("change", [of_a_newer_opset, of_an_unknown_node, of_bytes])
def test_a_model_that_a_backend_cannot_run_is_one_line(backend, change, capfd) -> None:
    if backend == "opencv" and change is of_a_newer_opset:
        pytest.skip("OpenCV does not look at the version")
    with pytest.raises(UsageError, match=r"cannot read the model|fails on a picture") as refused:
        load(edited(change), Options(backend=backend))
    assert len(str(refused.value)) < 300
    assert "\n" not in str(refused.value)
    assert not "".join(capfd.readouterr())
