"""Print the result of `evaluate`."""

from collections.abc import Iterator

from dafre_fast.evaluate.run import Evaluated
from dafre_fast.views import show as shown

_MOST_PAIRS = 5


def show(evaluated: Evaluated, *, as_json: bool) -> None:
    """Print it: a table for people, or JSON."""
    shown.show(evaluated, _lines(evaluated), as_json=as_json)


def _lines(one: Evaluated) -> Iterator[str]:
    refused = ", ".join(f"{number:,} {reason}" for reason, number in one.refused.items())
    yield (
        f"{one.rows:,} rows of {one.split} = {one.judged:,} judged"
        f" + {sum(one.refused.values()):,} refused{f': {refused}' if refused else ''}"
    )
    for name, text in (("top1", "top-1"), ("top5", "top-5"), ("macro", "mean over classes")):
        low, high = one.intervals[name]
        yield f"{text}: {getattr(one, name):.1%} ({low:.1%} to {high:.1%})"
    yield f"calibration error: {one.calibration_error:.1%}"
    yield "images in training  classes    images    top-1"
    for band, of in one.by_size.items():
        right = "–" if of.top1 is None else f"{of.top1:.1%}"
        yield f"{band:18}  {of.classes:7,}  {of.images:8,}  {right:>7}"
    for pair in one.confused[:_MOST_PAIRS]:
        yield f"{pair.images:,} of {pair.of:,} {pair.class_name} taken for {pair.answer}"
    if one.near_duplicates:
        yield f"near duplicates of training images, by the audit: {one.near_duplicates:,}"
    yield f"open {one.page}"
