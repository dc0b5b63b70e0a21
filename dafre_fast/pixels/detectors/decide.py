"""Decide how a network is used: flags win over files beside it, these over the metadata of its
maker, and these over the shapes of its outputs. Pure.
"""

from dataclasses import replace

from msgspec import Struct

from dafre_fast.core.errors import UsageError
from dafre_fast.core.settings.detecting import BackendName, FamilyName, Fit
from dafre_fast.pixels.detectors.beside import LABELS, Beside
from dafre_fast.pixels.detectors.families.base import Family, Outputs
from dafre_fast.pixels.detectors.families.choose import family_of
from dafre_fast.pixels.detectors.model import Facts

_HEADS = ("head", "heads", "anime head", "anime_head")
"""Names of the class to look for, the best first."""
_MOST_CLASSES = 1000


class Options(Struct, frozen=True):
    """All that may be said of a detector, as in `core.settings.detecting`; None leaves it to the
    files beside the model, and to the model.
    """

    threshold: float = 0.3
    """Least score of a box."""
    nms: float | None = None
    side: int | None = None
    """The long side of the input, in pixels."""
    family: FamilyName | None = None
    fit: Fit | None = None
    kind: str | None = None
    """The class to look for: its name or number."""
    backend: BackendName | None = None
    beside: Beside = Beside()


class Class(Struct, frozen=True):
    """A class that a network tells: its number, and its name, empty if nothing says it."""

    number: int
    label: str


def decide_family(outputs: Outputs, options: Options, facts: Facts) -> Family:
    """Return the family of a network, with the fit that is asked for.

    Raises UsageError if the outputs are of no known family, or the network does something else.
    """
    if facts.task and facts.task != "detect":
        raise UsageError(f"is a model for {facts.task!r}, where one for 'detect' is needed")
    name: FamilyName | None = options.family
    if name is None and options.beside.type.replace("-", "") == "rtdetr":
        name = "rtdetr"
    family = family_of(outputs, name)
    step = facts.step or family.step
    return replace(family, fit=options.fit or family.fit, step=step)


def decide_class(options: Options, facts: Facts, classes: int | None) -> Class:
    """Return the class to look for, among `classes`, None if the outputs do not show how many.

    Raises UsageError if that is not clear, or if there are other classes than labels.
    """
    labels = list(options.beside.labels or facts.labels)
    if labels and classes and len(labels) != classes:
        source = f"{LABELS} beside it names" if options.beside.labels else "its metadata names"
        raise UsageError(f"tells {classes} classes, and {source} {len(labels)}")
    if options.kind is not None:
        return _asked(options.kind, labels, classes)
    if not labels and classes in {1, None}:
        return Class(0, "")
    if (number := _head(labels)) is not None:
        return Class(number, labels[number])
    if len(labels) == 1:
        raise UsageError(f"finds {labels[0]!r}, no heads; choose it with --class {labels[0]!r}")
    raise UsageError(f"has several classes ({_named(labels, classes)}): choose one with --class")


def _asked(kind: str, labels: list[str], classes: int | None) -> Class:
    alike = [number for number, label in enumerate(labels) if label.lower() == kind.lower()]
    if kind in labels or alike:
        number = labels.index(kind) if kind in labels else alike[0]
        return Class(number, labels[number])
    most = len(labels) or classes or _MOST_CLASSES
    if kind.isdecimal() and int(kind) < most:
        return Class(int(kind), labels[int(kind)] if labels else "")
    raise UsageError(f"has no class {kind!r}; its classes are {_named(labels, most)}")


def _head(labels: list[str]) -> int | None:
    """Return the number of the class that is called head, None if none is."""
    small = [label.lower() for label in labels]
    found = [small.index(name) for name in _HEADS if name in small]
    return found[0] if found else None


def _named(labels: list[str], classes: int | None) -> str:
    return ", ".join(labels) or f"0 to {(classes or _MOST_CLASSES) - 1}"
