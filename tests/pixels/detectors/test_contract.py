"""What holds for detectors of every family, with every backend."""

import numpy as np
import pytest

from dafre_fast.core.errors import Refusal
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Head
from dafre_fast.pixels.detectors.decide import Options
from dafre_fast.pixels.detectors.detector import Detector, load
from tests.pixels.detectors import models
from tests.pixels.detectors.models import FAMILIES, with_box

nan, inf = float("nan"), float("inf")
WHITE = np.full((256, 256, 3), 255, np.uint8)
LOGITS = {"yolo3"}
"""Families whose scores are within 0 and 1 whatever the outputs are."""

pytestmark = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(params=["opencv", "onnxruntime"])
def backend(request) -> str:
    if request.param == "onnxruntime":
        pytest.importorskip("onnxruntime")
    return request.param


@pytest.fixture
def loaded(backend):
    def load_from(data: bytes) -> Detector:
        return load(data, Options(backend=backend, threshold=0.1))

    return load_from


def square() -> np.ndarray:
    """Return a white picture with a black square."""
    pixels = np.full((512, 512, 4), 255, np.uint8)
    pixels[32:288, 32:288] = 0
    return pixels


@pytest.mark.parametrize(
    "change", [models.with_open_batch, models.in_halves], ids=["open batch", "float16"]
)
def test_a_model_of_another_export_finds_the_same(family, loaded, change) -> None:
    plain = loaded(FAMILIES[family]()).find(square())
    other = loaded(change(FAMILIES[family]())).find(square())
    assert plain[0].score > 0.9
    for one, same in zip(plain[:1], other[:1], strict=True):
        assert (*same.box, same.score) == pytest.approx((*one.box, one.score), abs=5e-3)


def test_a_picture_of_any_shape_is_searched(loaded, family) -> None:
    detector = loaded(FAMILIES[family]())
    for height, width in ((1, 1), (10_000, 1), (1, 10_000), (2, 3), (3000, 40)):
        for colour, channels in ((0, 3), (255, 4)):
            pixels = np.full((height, width, channels), colour, np.uint8)
            assert all(map(is_head, detector.find(pixels)))


def is_head(head: Head) -> bool:
    left, top, right, bottom = head.box
    return 0 <= left < right <= 1 and 0 <= top < bottom <= 1 and 0.1 <= head.score <= 1


@pytest.mark.parametrize("box", [(nan, 0, 1, 1), (0, 0, nan, 1), (nan, nan, nan, nan)])
def test_a_box_that_is_no_number_refuses_the_picture(loaded, family, box) -> None:
    with pytest.raises(Refusal, match="a box is not a number") as refused:
        loaded(with_box(family, box, 0.9)).find(WHITE)
    assert refused.value.reason is Reason.DETECTOR_FAILED


@pytest.mark.parametrize("score", [nan, inf, -inf, 1.5, -3])
def test_a_score_that_is_none_refuses_the_picture(loaded, family, score) -> None:
    if family in LOGITS and score == score:  # noqa: PLR0124  NaN is not itself
        pytest.skip("any number is a score there")
    with pytest.raises(Refusal, match="a score is ") as refused:
        loaded(with_box(family, (0, 0, 1, 1), score)).find(WHITE)
    assert refused.value.reason is Reason.DETECTOR_FAILED


@pytest.mark.parametrize(
    "box",
    [
        (9e9, 9e9, 9, 9),
        (-9e9, -9e9, 9, 9),
        (9, 9, 0, 0),
        (9, 9, -1e9, -1e9),
        (200, 200, 90, 90),
        (0, 0, 9e9, 9e9),
        (-inf, -inf, inf, inf),
    ],
)
def test_a_box_outside_or_inverted_is_no_head_and_a_large_one_is_cut(loaded, family, box) -> None:
    try:
        found = loaded(with_box(family, box, 5)).find(WHITE)
    except Refusal as refusal:
        assert refusal.reason is Reason.DETECTOR_FAILED  # noqa: PT017
        return
    assert all(map(is_head, found))


def test_no_box_at_all_is_no_head(loaded, family) -> None:
    assert loaded(with_box(family, (0, 0, 0, 0), -20 if family in LOGITS else 0)).find(WHITE) == []
