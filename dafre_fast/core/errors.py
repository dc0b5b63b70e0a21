"""Every exception that this package raises on purpose.

    DafreError
    ├── UsageError    a setting is missing, unknown or out of its bounds   exit status 2
    │   └── BusyError     another run is at work on the output
    ├── InputError    a table, folder or address cannot be read            exit status 2
    ├── OutputError   the output cannot be written (a full disk)           exit status 1
    ├── SourceError   the source must not be asked any more                exit status 1
    ├── PartsError    parts of a run are missing or unfinished             exit status 1
    ├── WorkerError   no worker process can be started, or all die         exit status 1
    │   └── NoMainGuard   a script starts workers when it is imported
    ├── TrainingError   a training cannot go on (a loss that is no number)   exit status 1
    └── Refusal       one image cannot be made; the engine records it as an outcome

The message of each is one line for a person, in which addresses are `public`. A `Refusal` never
ends a run.
"""

from dafre_fast.core.addresses import scrubbed
from dafre_fast.core.reasons import Reason


class DafreError(Exception):
    """Base class of all exceptions of this package."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(scrubbed(arg) if isinstance(arg, str) else arg for arg in args))


class UsageError(DafreError):
    """A setting is missing, unknown or out of its bounds."""


class BusyError(UsageError):
    """Another run is at work on the output."""


class InputError(DafreError):
    """An input cannot be read; the message names the file, the row if known, and the cause."""


class OutputError(DafreError):
    """The output cannot be written; everything finished so far is kept."""


class SourceError(DafreError):
    """The source cannot or must not be asked any more; everything finished so far is kept."""


class PartsError(DafreError):
    """Parts of a run are missing or unfinished; everything finished so far is kept."""


class WorkerError(DafreError):
    """No worker process can be started, or they die; everything finished so far is kept."""


class TrainingError(DafreError):
    """A training cannot go on; the model of the last whole epoch is kept."""


class NoMainGuard(WorkerError, SystemExit):
    """A script calls `make_images` outside `if __name__ == "__main__":`.

    It is a SystemExit, too: only an edit of the script helps, so that one which does not catch it
    ends with this one line in place of a traceback, and with status 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message


class Refusal(DafreError):
    """One image cannot be made.

    `reason` is one of a closed set, and `detail` says more for a person, if there is more to say.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    @property
    def detail(self) -> str:
        """More for a person; its addresses are `public`, whatever it was set to."""
        return self._detail

    @detail.setter
    def detail(self, text: str) -> None:
        self._detail = scrubbed(text)

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)
