"""The facts of an ONNX file are read from the file itself."""

from contextlib import suppress

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dafre_fast.core.errors import UsageError
from dafre_fast.pixels.detectors.model import read_facts
from tests.pixels.detectors import models


def model_of(*shapes: list[int | str]) -> bytes:
    inputs = [
        helper.make_tensor_value_info(f"x{number}", TensorProto.FLOAT, shape)
        for number, shape in enumerate(shapes)
    ]
    return helper.make_model(helper.make_graph([], "none", inputs, [])).SerializeToString()


def test_the_size_of_the_input_is_read() -> None:
    facts = read_facts(model_of([1, 3, 480, 640]))
    assert (facts.input, facts.height, facts.width) == ("x0", 480, 640)


def test_a_size_that_is_open_is_none() -> None:
    facts = read_facts(model_of(["batch", 3, "h", "w"]))
    assert (facts.height, facts.width) == (None, None)


def test_labels_and_side_are_those_that_ultralytics_writes() -> None:
    facts = read_facts(models.yolo8(["head", "body"], imgsz="[640, 480]"))
    assert (facts.labels, facts.side) == (["head", "body"], 640)


@pytest.mark.parametrize("names", ["", "{", "{0: ", "__import__('os')", "[" * 9999, "3"])
def test_labels_that_cannot_be_read_are_none(names) -> None:
    assert not read_facts(models.yolo8(imgsz=names)).side


def test_weights_that_are_listed_among_the_inputs_are_not_inputs() -> None:
    picture = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    weights = helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [2.0])
    graph = helper.make_graph([], "old", [picture, weights], [], [values])
    assert read_facts(helper.make_model(graph).SerializeToString()).input == "x"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "takes 0 inputs"),
        ([[1, 3, 8, 8], [1, 2]], "takes 2 inputs"),
        ([[1, 10]], r"takes an input of \(1, 10\)"),
        ([[1, 8, 8, 3]], r"takes an input of \(1, 8, 8, 3\)"),
        ([[4, 3, 8, 8]], r"takes an input of \(4, 3, 8, 8\), where a detector takes \(1, 3"),
        ([[1, 3, 8, "w"]], r"takes an input of \(1, 3, 8, any\).*both sides fixed or both open"),
    ],
)
def test_a_model_that_takes_no_picture_is_refused(shapes, message) -> None:
    with pytest.raises(UsageError, match=message):
        read_facts(model_of(*shapes))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_model_or_refused(data) -> None:
    with suppress(UsageError):
        read_facts(data)


@given(st.data())
def test_a_damaged_model_is_read_or_refused(data) -> None:
    model = bytearray(models.yolo8())
    at = data.draw(st.integers(0, len(model) - 1))
    model[at] = data.draw(st.integers(0, 255))
    with suppress(UsageError):
        read_facts(bytes(model))


def test_weights_in_another_file_are_refused() -> None:
    model = onnx.ModelProto.FromString(models.yolo8())
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(UsageError, match="keeps its weights in another file"):
        read_facts(model.SerializeToString())
