"""Read the files that lie beside a model, as in the folders of deepghs on the Hugging Face Hub.

`labels.json` is a list of the names of the classes; `threshold.json` has the score of the best F1
as `threshold`, of one class as `per_class`; `model_type.json` has `model_type`, yolo or rtdetr.
Source: github.com/deepghs/yolov8, export.py and utils/threshold.py.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from dafre_fast.core.errors import UsageError

LABELS, THRESHOLD, TYPE = "labels.json", "threshold.json", "model_type.json"
FILES = (LABELS, THRESHOLD, TYPE)

_Labels: Any = list[str] | dict[int, str]
Score = Annotated[float, Meta(ge=0, le=1)]
T = TypeVar("T")


class _OfClass(Struct):
    threshold: Score | None = None


class _Threshold(_OfClass):
    per_class: dict[str, _OfClass] = {}


class _Type(Struct):
    model_type: str


class Beside(Struct, frozen=True):
    """The contents of the files beside a model; nothing if there are none."""

    labels: tuple[str, ...] = ()
    """The names of the classes, by number."""
    threshold: float | None = None
    """Least score of a box."""
    of_class: Mapping[str, float] = {}
    """The same for one class, by its name."""
    type: str = ""
    """The type of the model, in small letters."""

    def threshold_of(self, label: str) -> float | None:
        """Return the least score of a box of this class, None if no file says it."""
        return self.of_class.get(label, self.threshold)


def read_beside(files: Mapping[str, bytes]) -> Beside:
    """Read files by name (`FILES`); those that are not there are left out.

    Raises UsageError, which names the file, if one is not in its form.
    """
    labels: list[str] | dict[int, str] = _read(files, LABELS, _Labels, [])
    threshold = _read(files, THRESHOLD, _Threshold, _Threshold())
    kind = _read(files, TYPE, _Type, _Type(""))
    if isinstance(labels, dict):
        labels = [labels[number] for number in sorted(labels)]
    of_class = {name: one.threshold for name, one in threshold.per_class.items()}
    return Beside(
        tuple(labels),
        threshold.threshold,
        {name: score for name, score in of_class.items() if score is not None},
        kind.model_type.lower(),
    )


def _read(files: Mapping[str, bytes], name: str, form: type[T], otherwise: T) -> T:
    if name not in files:
        return otherwise
    try:
        return msgspec.json.decode(files[name], type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{name} beside it: {str(error)[:200]}") from error
