"""The interface of backends."""

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


def first_line(error: Exception) -> str:
    """Return the first line of the message of a library's exception."""
    return str(error).strip().partition("\n")[0]
