"""The interface of backends."""

from collections.abc import Callable

from dafre_fast.pixels.detectors.families.base import Floats, Outputs

Network = Callable[[Floats], Outputs]
"""Runs a network on an input, float32 (1, 3, height, width), on one thread."""
