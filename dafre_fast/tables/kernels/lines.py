"""Lines of a text, counted by a compiled kernel."""

import numpy as np
from numpy.typing import NDArray

from dafre_fast.core.jit import Kernel

_COUNT = Kernel(f"{__package__}.compiled.lines:count", "int64(uint8[::1])")


def count_ends(text: NDArray[np.uint8]) -> int:
    """Return the number of line feeds."""
    return int(_COUNT(text))


def count_lines(text: NDArray[np.uint8]) -> int:
    """Return the number of lines; the last one may lack its end."""
    return count_ends(text) + bool(text.size and text[-1] != ord("\n"))
