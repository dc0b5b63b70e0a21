"""One file through the engine's decoders and through the reference, each in its own process."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dafre_fast.core.errors import Refusal
from dafre_fast.core.settings.images import FullImage, Recipe
from dafre_fast.pixels.decoders.choose import read_header
from dafre_fast.pixels.geometry import LARGEST_JPEG_SIDE
from dafre_fast.pixels.making import show_images
from tests.torture import reference
from tests.torture.isolated import Ran, isolated

RIGHT, UNLIKE, DIED = "right", "unlike", "died"


@dataclass(frozen=True)
class Finding:
    """The result of a file.

    `outcome`: `right`, `unlike` the reference, `died`, or the reason of its refusal; `detail` in
    words; `difference`: mean absolute difference to the reference, 0 to 255, None where one of the
    two does not read the file.
    """

    path: str
    outcome: str
    detail: str
    reference_reads: bool
    difference: float | None
    seconds: float
    bytes: int


def ours(path: str) -> np.ndarray:
    """RGB before it is encoded, at its own size."""
    data = Path(path).read_bytes()
    shown = show_images(data, Recipe(full=FullImage(size=_short_side(data), exact=True)))
    return np.ascontiguousarray(shown["full"][..., :3])


def _short_side(data: bytes) -> int:
    try:
        return max(1, min(*read_header(data).size, LARGEST_JPEG_SIDE))
    except Refusal:
        return 1  # it will be refused again, by its proper name


def theirs(path: str) -> np.ndarray:
    return reference.read(Path(path).read_bytes())


def examine(path: str, tolerance: float = 2.0) -> Finding:
    """`tolerance`: the largest difference that is still right."""
    mine, careful = isolated(ours, path), isolated(theirs, path)
    difference = _difference(mine, careful)
    outcome, detail = _outcome(mine.error)
    if difference is not None and difference > tolerance:
        outcome, detail = UNLIKE, f"{mine.result.shape}, reference {careful.result.shape}"
    return Finding(
        path, outcome, detail, careful.error is None, difference, mine.seconds, mine.bytes
    )


def _outcome(error: BaseException | str | None) -> tuple[str, str]:
    if error is None:
        return RIGHT, ""
    if isinstance(error, Refusal):
        return error.reason.value, error.detail
    return DIED, str(error) or type(error).__name__


def _difference(one: Ran, other: Ran) -> float | None:
    if one.error is not None or other.error is not None:
        return None
    if one.result.shape != other.result.shape:
        return 255.0
    return float(np.abs(one.result.astype(int) - other.result).mean())
