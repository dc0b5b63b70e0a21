"""What the server that workers are forked from imports first, for its effect: it dies with the
process that started it, however that one ends, and its workers, which import this too, die with it.
Workers are as many as is good: none of them needs threads of its own.
"""

import ctypes
import os
import signal
import sys

_PID = os.getpid()
_PR_SET_PDEATHSIG = 1


def die_with_server() -> None:
    """For a worker: no later than its server. Other systems than Linux know no such thing: there a
    worker ends when it has a result to send.
    """
    _die_with_parent()
    forked = os.getpid() != _PID
    if forked and os.getppid() != _PID:  # it was gone before we asked
        os._exit(1)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_die_with_parent()
os.environ.setdefault("POLARS_MAX_THREADS", "1")
