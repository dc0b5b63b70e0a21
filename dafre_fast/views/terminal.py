"""The observer that commands install: the terminal, and the log and metrics that were asked for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dafre_fast.core import compiling
from dafre_fast.core.events import Event, Notice, Tell
from dafre_fast.core.limits import open_files
from dafre_fast.core.settings.fetching import Watching
from dafre_fast.views.event_log import EventLog
from dafre_fast.views.progress import Progress

_FEW_FILES = 256
"""Files below which fewer downloads and workers run than would be good."""
COMPILING = Notice("compiling kernels for this machine, once after an installation")
_NOT_KEPT = Notice(
    "compiling kernels for this machine, which takes seconds every time, since neither the package"
    " nor your cache can be written to: set NUMBA_CACHE_DIR to a folder of yours"
)


@contextmanager
def terminal(watching: Watching | None = None) -> Iterator[Tell]:
    """Give an observer that shows progress and notices on standard error, and passes all events to
    the log and the metrics that `watching` names.

    Raises OutputError if the log or the metrics cannot be written, UsageError if the port of the
    metrics is taken.
    """
    watching = watching or Watching()
    with ExitStack() as stack:
        progress = stack.enter_context(Progress())
        observers: list[Tell] = [progress]

        def tell(event: Event) -> None:
            for observer in observers:
                observer(event)

        if watching.log_json:
            observers.append(stack.enter_context(EventLog(watching.log_json)))
        if watching.metrics_file or watching.metrics_port is not None:
            from dafre_fast.views.metrics import Metrics  # its library takes 60 ms

            # Its notices are for the screen: on a full disk the log could not take them either.
            observers.append(stack.enter_context(Metrics(watching, progress)))
        if (files := open_files()) < _FEW_FILES:
            tell(Notice(f"only {files} files may be open at once (ulimit -n): this takes longer"))
        stack.enter_context(compiling.reported_to(lambda: tell(_compiling())))
        yield tell


def _compiling() -> Notice:
    from dafre_fast.core.jit import can_keep

    return COMPILING if can_keep() else _NOT_KEPT
