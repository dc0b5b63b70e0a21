"""Every exception that this package raises on purpose.

    DafreError
    ├── UsageError    a setting is missing or out of bounds          exit status 2
    ├── InputError    a table, folder or address cannot be read      exit status 2
    ├── OutputError   the output cannot be written (a full disk)     exit status 1
    ├── SourceError   the source asks to be left alone               exit status 1
    ├── WorkerError   no worker process can be started, or all die   exit status 1
    └── Refusal       one image cannot be made; the engine turns it into an outcome

All but the last carry one line for a person. A `Refusal` never ends a run.
"""

from dafre_fast.core.reasons import Reason


class DafreError(Exception):
    """Base of all exceptions of this package."""


class UsageError(DafreError):
    """A setting is missing, unknown or out of its bounds."""


class InputError(DafreError):
    """An input cannot be read; the message names the file, the row where known, and why."""


class OutputError(DafreError):
    """The output cannot be written; everything finished so far is kept."""


class SourceError(DafreError):
    """The source cannot or must not be asked any more; everything finished so far is kept."""


class WorkerError(DafreError):
    """No worker process can be started, or they die; everything finished so far is kept."""


class Refusal(DafreError):
    """One image cannot be made: a reason from the closed set, and a detail for people."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
