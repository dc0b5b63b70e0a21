"""Read what an ONNX file says of a network: the size of its input, and the metadata of its maker.

OpenCV runs such files, but does not hand these facts out. They are read from the file itself, a
message of Protocol Buffers (encoding: protobuf.dev/programming-guides/encoding; fields: onnx.proto3
of ONNX 1.17).
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dafre_fast.core.errors import UsageError

_GRAPH, _METADATA = 7, 14  # of ModelProto
_INITIALIZER, _INPUT, _SPARSE = 5, 11, 15  # of GraphProto
_NAME, _TYPE = 1, 2  # of ValueInfoProto
_TENSOR, _SHAPE, _DIMENSION, _SIZE = 1, 2, 1, 1  # TypeProto, its Tensor, TensorShapeProto
_NAME_OF_TENSOR, _LOCATION, _EXTERNAL = 8, 14, 1  # of TensorProto
_SHORTEST, _LONGEST = 8, 1 << 14
"""Pixels of a side of an input, and of a step between sides."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Facts:
    """The input of a network, and what the maker says of it."""

    input: str
    """The name of the input."""
    height: int | None
    """The height of its input, in pixels; None if any will do."""
    width: int | None
    labels: Sequence[str] = ()
    """The names of the classes, by number; none if the file does not say."""
    side: int | None = None
    """The long side that the network was trained for, in pixels."""
    step: int | None = None
    """Sides of its input are multiples of this, in pixels."""
    task: str = ""
    """The task of the network, such as detect; empty if the file does not say."""


class _Field(NamedTuple):
    number: int
    value: int | memoryview


def read_facts(data: bytes) -> Facts:
    """Read the facts of an ONNX file. Raises UsageError if it is none, or takes no picture."""
    try:
        graph, metadata = _parts(memoryview(data))
        inputs = _inputs(graph)
    except (ValueError, IndexError) as error:
        raise UsageError("is not an ONNX model") from error
    if len(inputs) != 1:
        raise UsageError(f"takes {len(inputs)} inputs, where a detector takes one picture")
    ((name, shape),) = inputs.items()
    pictures = len(shape) == 4 and shape[0] in {1, None} and shape[1] in {3, None}
    if not pictures or (shape[2] is None) != (shape[3] is None):
        sizes = ", ".join("any" if side is None else str(side) for side in shape)
        raise UsageError(
            f"takes an input of ({sizes}), where a detector takes (1, 3, height, width),"
            " both sides fixed or both open"
        )
    return replace(Facts(name, shape[2], shape[3]), **_of_maker(metadata))


def _parts(model: memoryview) -> tuple[memoryview, dict[str, str]]:
    graph, metadata = None, dict[str, str]()
    for field in _fields(model):
        if field.number == _GRAPH:
            graph = _bytes(field)
        elif field.number == _METADATA:
            pair = {part.number: str(_bytes(part), "utf-8") for part in _fields(_bytes(field))}
            metadata[pair.get(1, "")] = pair.get(2, "")
    if graph is None:
        raise ValueError("no graph")
    return graph, metadata


def _inputs(graph: memoryview) -> dict[str, list[int | None]]:
    """Return the shape of each input by name; None where a size is open."""
    found, constants = dict[str, list[int | None]](), set[str]()
    for field in _fields(graph):
        if field.number == _INPUT:
            name, shape = _value_info(_bytes(field))
            found[name] = shape
        elif field.number == _INITIALIZER:  # old files list the weights among the inputs, too
            constants.add(_text(_bytes(field), _NAME_OF_TENSOR))
            _refuse_external(_bytes(field))
    return {name: shape for name, shape in found.items() if name not in constants}


def _refuse_external(tensor: memoryview) -> None:
    """Raise UsageError if a tensor is in another file."""
    if any(field.number == _LOCATION and field.value == _EXTERNAL for field in _fields(tensor)):
        raise UsageError("keeps its weights in another file; export or save it as one file")


def _value_info(info: memoryview) -> tuple[str, list[int | None]]:
    shape = list[int | None]()
    for dimension in _inside(info, _TYPE, _TENSOR, _SHAPE, _DIMENSION):
        sizes = [part.value for part in _fields(dimension) if part.number == _SIZE]
        shape.append(int(sizes[0]) if sizes and isinstance(sizes[0], int) and sizes[0] else None)
    return _text(info, _NAME), shape


def _inside(message: memoryview, *path: int) -> Iterator[memoryview]:
    """Yield the messages at the end of a path of field numbers."""
    if not path:
        yield message
        return
    for field in _fields(message):
        if field.number == path[0]:
            yield from _inside(_bytes(field), *path[1:])


def _text(message: memoryview, number: int) -> str:
    texts = [str(_bytes(field), "utf-8") for field in _fields(message) if field.number == number]
    return texts[0] if texts else ""


def _bytes(field: _Field) -> memoryview:
    if isinstance(field.value, int):
        raise ValueError("a number where a message is expected")  # noqa: TRY004
    return field.value


def _fields(message: memoryview) -> Iterator[_Field]:
    """Yield the fields of a message. Raises ValueError or IndexError if it is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield _Field(key >> 3, value)
            continue
        if kind == _BYTES:
            size, at = _varint(message, at)
        elif kind in {_FIXED64, _FIXED32}:
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if key >> 3 == 0 or at + size > len(message):
            raise ValueError("the message breaks off")
        yield _Field(key >> 3, message[at : at + size])
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of up to ten bytes; return it and the index behind it."""
    number = 0
    for place in range(10):
        byte = message[at + place]
        number |= (byte & 127) << 7 * place
        if byte < 128:
            return number, at + place + 1
    raise ValueError("a number of more than ten bytes")


def _of_maker(metadata: dict[str, str]) -> dict[str, Any]:
    """Return facts from the metadata that Ultralytics writes as Python literals."""
    names, size = _literal(metadata.get("names")), _literal(metadata.get("imgsz"))
    if isinstance(names, dict):
        numbered = all(isinstance(number, int) for number in names)
        names = [names[number] for number in (sorted(names) if numbered else names)]
    sides = size if isinstance(size, list | tuple) else [size]
    step = _literal(metadata.get("stride"))
    return {
        "labels": [str(name) for name in names] if isinstance(names, list | tuple) else (),
        "side": max(filter(_is_side, sides), default=None),
        "step": step if _is_side(step) else None,
        "task": metadata.get("task", ""),
    }


def _is_side(value: object) -> bool:
    return isinstance(value, int) and _SHORTEST <= value <= _LONGEST


def _literal(text: str | None) -> object:
    try:
        return ast.literal_eval(text or "None")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
