"""Create an executor by its name. A new executor is a module and a line here."""

from importlib import import_module

from dafre_fast.core.errors import UsageError
from dafre_fast.engine.executors.base import Executor, J, R, Spec

_EXECUTORS = {
    "local": "dafre_fast.engine.executors.local:LocalExecutor",
}
"""Module and class of each, imported when it is asked for. The class takes a `Spec`."""

NAMES = tuple(_EXECUTORS)
DEFAULT = "local"


def create(spec: Spec[J, R], name: str = DEFAULT) -> Executor[J]:
    """Return a new executor for `spec`. Raises UsageError if there is none of that name."""
    if name not in _EXECUTORS:
        raise UsageError(f"there is no executor {name!r}; choose one of: {', '.join(NAMES)}")
    module, _, class_name = _EXECUTORS[name].partition(":")
    executor: Executor[J] = getattr(import_module(module), class_name)(spec)
    return executor
