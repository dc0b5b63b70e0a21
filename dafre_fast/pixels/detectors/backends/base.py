"""The interface of backends."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from dafre_fast.pixels.detectors.families.base import Floats, Outputs


@dataclass(frozen=True)
class Network:
    """A network that is loaded."""

    run: Callable[[Floats], Outputs]
    """Runs it on an input, float32 (1, 3, height, width), on one thread."""
    backend: str
    """The library that runs it, and where, in words: "ONNX Runtime 1.23 on the CPU"."""


_PREFIX = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : (/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z]))?"
)
_LONGEST = 250


def one_line(error: Exception) -> str:
    """Return the message of a library's exception as one line, without its own source files."""
    message = " ".join((getattr(error, "err", None) or str(error)).split())
    return _PREFIX.sub("", message)[:_LONGEST]
