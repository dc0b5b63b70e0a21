"""Print the result of `train`."""

from collections.abc import Iterator

from dafre_fast.train.page import PAGE
from dafre_fast.train.run import Trained
from dafre_fast.views import show as shown


def show(trained: Trained, *, as_json: bool) -> None:
    """Print it: as text, or as JSON."""
    shown.show(trained, _lines(trained), as_json=as_json)


def _lines(trained: Trained) -> Iterator[str]:
    yield (
        f"{trained.images:,} images of {trained.classes:,} classes, {len(trained.epochs):,} epochs,"
        f" {trained.parameters / 1e6:,.1f} million parameters"
    )
    if trained.excluded:
        yield f"images that lists leave out: {trained.excluded:,}"
    if trained.damaged:
        yield f"images that could not be read, all epochs together: {trained.damaged:,}"
    last = trained.epochs[-1]
    if last.top1 is not None:
        yield f"val top-1 {last.top1:.1%}, loss {last.loss:.3f}"
    yield f"model: {trained.model}; curves: {trained.model.rpartition('/')[0]}/{PAGE}"
    if trained.exported:
        yield f"as ONNX: {trained.exported}"
