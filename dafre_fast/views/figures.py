"""Helpers that screens and figures share: printable and shortened names, ticks, shares."""

from collections.abc import Sequence
from unicodedata import east_asian_width

from dafre_fast.core.splits import SPLITS

PARTS = frozenset(SPLITS)
"""Steps of a funnel that divide the images of the step before them."""
_MOST_TICKS = 6


def shortened(text: str, width: int) -> str:
    """Return `text` cut to `width` columns of a terminal, with `…` at the end if it was cut.

    A letter of East Asian width takes two columns; one that does not print is replaced.
    """
    shown, taken = "", 0
    for letter in text:
        taken += 2 if east_asian_width(letter) in "WF" else 1
        if taken > width:
            return printable(shown[:-1]).rstrip() + "…"
        shown += letter
    return printable(shown)


def printable(text: str) -> str:
    """Return `text` with each character that does not print replaced by U+FFFD."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def ticks(low: float, high: float) -> list[int]:
    """Return round whole numbers from `low` to `high` for a logarithmic axis.

    Both bounds are positive. The steps are the finest that give at most six ticks, else powers of
    ten.
    """
    decades = [10**power for power in range(len(f"{high:.0f}") + 1)]
    found = list[int]()
    for steps in ((*range(1, 10),), (1, 2, 3, 4, 6, 8), (1, 2, 5), (1,)):
        found = [step * ten for ten in decades for step in steps if low <= step * ten <= high]
        if len(found) <= _MOST_TICKS:
            break
    return found


def kept(names: Sequence[str], numbers: Sequence[int]) -> list[float | None]:
    """Return the share that each step of a funnel keeps of the step before it; None for the first.

    A step that is a part (train, val, test) is not counted as the one before another.
    """
    shares, before = list[float | None](), 0
    for name, number in zip(names, numbers, strict=True):
        shares.append(number / before if before else None)
        if name not in PARTS:
            before = number
    return shares
