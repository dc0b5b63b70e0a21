"""Small networks that find a black square of 128 x 128 pixels, one per family of detectors.

Each takes 256 x 256 pixels and looks at the darkness of a window around the middle of every cell of
32 x 32. A square that fills a window scores 1, one that is a cell aside 0. Only the layout of the
outputs differs.
"""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import ModelProto, TensorProto, helper

SIDE, SQUARE, CELL = 256, 128, 32
CELLS = SIDE // CELL
_ALL = CELLS * CELLS

Nodes = list  # of onnx.NodeProto


def _constant(name: str, values) -> object:
    values = np.asarray(values)
    kind = TensorProto.INT64 if values.dtype.kind == "i" else TensorProto.FLOAT
    return helper.make_tensor(name, kind, values.shape, values.ravel().tolist())


def _centres() -> np.ndarray:
    """Return centre x, centre y, width, height of the box of each cell, in pixels, (cells, 4)."""
    y, x = (np.mgrid[:CELLS, :CELLS] + 0.5) * CELL
    return np.stack((x.ravel(), y.ravel(), *np.full((2, _ALL), SQUARE)), axis=1).astype(np.float32)


def _darkness(white: float, black: float) -> tuple[Nodes, list]:
    """Return nodes that turn `images` into `dark` (1, 1, 8, 8): 0 for white, 1 for black."""
    weights = np.full((1, 3, 1, 1), 1 / 3 / (black - white), np.float32)
    bias = np.array([-white / (black - white)], np.float32)
    pad = (SQUARE - CELL) // 2
    nodes = [
        helper.make_node("Conv", ["images", "weights", "bias"], ["darkness"]),
        helper.make_node(
            "AveragePool",
            ["darkness"],
            ["dark"],
            kernel_shape=[SQUARE] * 2,
            strides=[CELL] * 2,
            pads=[pad] * 4,
            count_include_pad=1,
        ),
    ]
    return nodes, [_constant("weights", weights), _constant("bias", bias)]


def _scaled(factor: float, plus: float, name: str) -> tuple[Nodes, list]:
    nodes = [
        helper.make_node("Mul", ["dark", "factor"], ["stretched"]),
        helper.make_node("Add", ["stretched", "plus"], [name]),
    ]
    return nodes, [_constant("factor", [factor]), _constant("plus", [plus])]


def _scores(shape: Sequence[int]) -> tuple[Nodes, list]:
    """Return nodes that turn `dark` into `scores` of this shape: 1 for black, 0 from 3/4 down."""
    nodes, constants = _scaled(4.0, -3.0, "raw")
    nodes += [
        helper.make_node("Clip", ["raw", "zero", "one"], ["clipped"]),
        helper.make_node("Reshape", ["clipped", "shape"], ["scores"]),
    ]
    zero, one = (_constant(name, np.float32(at)) for name, at in (("zero", 0), ("one", 1)))
    return nodes, [*constants, zero, one, _constant("shape", np.array(shape, np.int64))]


def _model(
    nodes: Nodes,
    constants: list,
    outputs: dict[str, Sequence[int]],
    *,
    free: bool = False,
    **metadata: str,
) -> bytes:
    """Return a model; it takes pictures of any size if it is `free`."""
    sides = ["height", "width"] if free else [SIDE, SIDE]
    picture = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *sides])
    results = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in outputs.items()
    ]
    graph = helper.make_graph(nodes, "squares", [picture], results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata)
    return model.SerializeToString()


def yolo8(labels: Sequence[str] = ("head",), **more) -> bytes:
    classes = len(labels)
    rest = np.zeros((1, classes - 1, _ALL), np.float32)
    nodes, constants = _darkness(1, 0)
    made, needed = _scores([1, 1, _ALL])
    parts = ["boxes", "scores", "rest"] if classes > 1 else ["boxes", "scores"]
    nodes += [*made, helper.make_node("Concat", parts, ["output0"], axis=1)]
    constants += [*needed, _constant("boxes", _centres().T[None])]
    constants += [_constant("rest", rest)] if classes > 1 else []
    names = repr(dict(enumerate(labels)))
    return _model(nodes, constants, {"output0": [1, 4 + classes, _ALL]}, names=names, **more)


def yolo5() -> bytes:
    nodes, constants = _darkness(1, 0)
    made, needed = _scores([1, _ALL, 1])
    parts = ["boxes", "scores", "class"]
    nodes += [*made, helper.make_node("Concat", parts, ["output"], axis=2)]
    constants += [*needed, _constant("boxes", _centres()[None])]
    constants += [_constant("class", np.ones((1, _ALL, 1), np.float32))]
    return _model(nodes, constants, {"output": [1, _ALL, 6]})


def _among_300(boxes: np.ndarray, behind: int) -> bytes:
    """Return a model with rows of box, score and `behind` zeros, filled up to 300 rows."""
    nodes, constants = _darkness(1, 0)
    made, needed = _scores([1, _ALL, 1])
    pads = np.array([0, 0, 0, 0, 300 - _ALL, behind], np.int64)
    nodes += [
        *made,
        helper.make_node("Concat", ["boxes", "scores"], ["rows"], axis=2),
        helper.make_node("Pad", ["rows", "pads"], ["output0"]),
    ]
    constants += [*needed, _constant("boxes", boxes[None]), _constant("pads", pads)]
    return _model(nodes, constants, {"output0": [1, 300, 5 + behind]})


def yolo10() -> bytes:
    centres = _centres()
    corners = np.concatenate(
        (centres[:, :2] - centres[:, 2:] / 2, centres[:, :2] + centres[:, 2:] / 2), axis=1
    )
    return _among_300(corners, behind=1)


def rtdetr() -> bytes:
    return _among_300(_centres() / SIDE, behind=0)


def yolo3() -> bytes:
    anchor = (116, 90)
    nodes, constants = _darkness(1, 0)
    made, needed = _scaled(40.0, -36.0, "logits")
    sizes = np.log(np.float32(SQUARE) / anchor)
    box = np.zeros((1, 4, CELLS, CELLS), np.float32)
    box[0, 2:] = sizes[:, None, None]
    tail = np.full((1, 13, CELLS, CELLS), -20, np.float32)
    nodes += [*made, helper.make_node("Concat", ["box", "logits", "tail"], ["large"], axis=1)]
    constants += [*needed, _constant("box", box), _constant("tail", tail)]
    shapes = {"large": [1, 18, CELLS, CELLS]}
    for name, cells in (("middle", 2 * CELLS), ("small", 4 * CELLS)):
        shapes[name] = [1, 18, cells, cells]
        constants.append(_constant(f"{name} none", np.full(shapes[name], -20, np.float32)))
        nodes.append(helper.make_node("Identity", [f"{name} none"], [name]))
    return _model(nodes, constants, shapes)


def faceboxes() -> bytes:
    mean = (104 + 117 + 123) / 3
    nodes, constants = _darkness(255 - mean, -mean)
    made, needed = _scores([_ALL, 1])
    others = (SIDE // 64) ** 2 + (SIDE // 128) ** 2
    every = 21 * _ALL + others
    nodes += [
        *made,
        helper.make_node("Pad", ["scores", "before"], ["priors"]),  # the 21st has 128 pixels
        helper.make_node("Reshape", ["priors", "column"], ["of cells"]),
        helper.make_node("Concat", ["of cells", "of larger"], ["heads"], axis=0),
        helper.make_node("Sub", ["one", "heads"], ["none"]),
        helper.make_node("Concat", ["none", "heads"], ["conf"], axis=1),
        helper.make_node("Identity", ["no change"], ["loc"]),
    ]
    constants += [
        *needed,
        _constant("before", np.array([0, 20, 0, 0], np.int64)),
        _constant("column", np.array([-1, 1], np.int64)),
        _constant("of larger", np.zeros((others, 1), np.float32)),
        _constant("no change", np.zeros((1, every, 4), np.float32)),
    ]
    return _model(nodes, constants, {"loc": [1, every, 4], "conf": [every, 2]})


def constant(
    *, free: bool = False, metadata: dict[str, str] | None = None, **outputs: np.ndarray
) -> bytes:
    """Return a model whose outputs are always the same."""
    nodes, constants = _darkness(1, 0)
    for name, values in outputs.items():
        constants.append(_constant(f"{name} is", values.astype(np.float32)))
        nodes.append(helper.make_node("Identity", [f"{name} is"], [name]))
    shapes = {name: values.shape for name, values in outputs.items()}
    return _model(nodes, constants, shapes, free=free, **(metadata or {}))


def with_box(family: str, box: Sequence[float], score: float, *, free: bool = False) -> bytes:
    """Return a model of a family with one box, in the numbers of that family; the others are
    unsure.
    """
    row = np.array((*box, score), np.float32)
    if family == "faceboxes":
        loc, conf = np.zeros((1, 1364, 4)), np.zeros((1364, 2))
        loc[0, 1000], conf[1000, 1] = box, score
        return constant(loc=loc, conf=conf, free=free)
    if family == "yolo3":
        maps = [np.full((1, 18, cells, cells), -20.0) for cells in (8, 16, 32)]
        maps[0][0, :5, 4, 4] = row
        return constant(large=maps[0], middle=maps[1], small=maps[2], free=free)
    rows = np.zeros((400 if family == "yolo5" else 300, 6 if family in {"yolo5", "yolo10"} else 5))
    rows[7, :5] = row
    if family == "yolo5":
        rows[:, 5] = 1
    output = rows.T if family == "yolo8" else rows
    return constant(output0=output[None], free=free)


def with_open_batch(data: bytes) -> bytes:
    """Return a model that takes any number of pictures at once."""
    model = ModelProto.FromString(data)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    return model.SerializeToString()


def in_halves(data: bytes) -> bytes:
    """Return a model whose input and outputs are float16."""
    model = ModelProto.FromString(data)
    graph = model.graph
    graph.node.insert(0, helper.make_node("Cast", ["halves"], ["images"], to=TensorProto.FLOAT))
    graph.input[0].name = "halves"
    graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    for output in graph.output:
        of_node = next(node for node in graph.node if output.name in node.output)
        of_node.output[0] = f"{output.name} whole"
        cast = helper.make_node("Cast", of_node.output, [output.name], to=TensorProto.FLOAT16)
        graph.node.append(cast)
        output.type.tensor_type.elem_type = TensorProto.FLOAT16
    return model.SerializeToString()


FAMILIES: dict[str, Callable[[], bytes]] = {
    "yolo8": yolo8,
    "yolo5": yolo5,
    "yolo10": yolo10,
    "rtdetr": rtdetr,
    "yolo3": yolo3,
    "faceboxes": faceboxes,
}
