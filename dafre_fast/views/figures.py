"""What figures have in common, whoever draws them: names, ticks, and shares of a funnel."""

from collections.abc import Sequence
from unicodedata import east_asian_width

from dafre_fast.core.splits import SPLITS

PARTS = frozenset(SPLITS)
"""Steps that divide what is left instead of following on each other."""
_MOST_TICKS = 6


def shortened(text: str, width: int) -> str:
    """At most so many columns, of which letters of East Asia take two, ending in `…` where some is
    cut off; what does not print is replaced.
    """
    shown, taken = "", 0
    for letter in text:
        taken += 2 if east_asian_width(letter) in "WF" else 1
        if taken > width:
            return shown[:-1].rstrip() + "…"
        shown += letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
    return shown


def ticks(low: float, high: float) -> list[int]:
    """Round whole numbers between two positive ones: of the finest steps of which there are few, or
    else powers of ten.
    """
    decades = [10**power for power in range(len(f"{high:.0f}") + 1)]
    found = list[int]()
    for steps in ((*range(1, 10),), (1, 2, 3, 4, 6, 8), (1, 2, 5), (1,)):
        found = [step * ten for ten in decades for step in steps if low <= step * ten <= high]
        if len(found) <= _MOST_TICKS:
            break
    return found


def kept(names: Sequence[str], numbers: Sequence[int]) -> list[float | None]:
    """Of each step, the share of the last one before it that is no part (train, val, test)."""
    shares, before = list[float | None](), 0
    for name, number in zip(names, numbers, strict=True):
        shares.append(number / before if before else None)
        if name not in PARTS:
            before = number
    return shares
