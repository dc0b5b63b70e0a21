"""Print the result of `predict`."""

from collections.abc import Iterator

from dafre_fast.predict.run import Predictions
from dafre_fast.views import show as shown
from dafre_fast.views.figures import printable


def show(predictions: Predictions, *, as_json: bool) -> None:
    """Print it: lines for people, or JSON."""
    shown.show(predictions, _lines(predictions), as_json=as_json)


def _lines(predictions: Predictions) -> Iterator[str]:
    for one in predictions.named:
        names = ", ".join(f"{name.name} {name.probability:.1%}" for name in one.names)
        box = " (" + " ".join(f"{edge:.3f}" for edge in one.head) + ")" if one.head else ""
        yield printable(f"{one.picture}{box}: {names}")
    for refused in predictions.refused:
        detail = f" ({refused.detail})" if refused.detail else ""
        yield printable(f"{refused.picture}: {refused.reason}{detail}")
    if predictions.pictures:
        good = predictions.pictures - len(predictions.refused)
        yield (
            f"{predictions.pictures:,} pictures = {good:,} named"
            f" + {len(predictions.refused):,} refused"
        )
    if predictions.exported:
        yield f"as ONNX: {predictions.exported}"
