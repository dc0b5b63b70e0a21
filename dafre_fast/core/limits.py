"""The files that this process may have open at once: sockets and pipes count, too.

A command raises the limit as far as the system lets it (`ulimit -Hn`), and keeps below it.
"""

import os
import resource
from contextlib import suppress

_MOST = 1 << 20
"""More than any run needs; some systems refuse to set a limit without end."""
_FILES_OF_A_DOWNLOAD = 2
"""The socket, and the file."""
_FILES_OF_A_WORKER = 4
"""Its socket and the pipe that tells of its end; twice that while it is started."""
_FOR_OTHERS = 16
"""Tables, the ledger, logs, libraries."""


def raise_open_files() -> None:
    """Raise the limit of this process, and of those that it starts, as far as it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def open_files() -> int:
    """Return how many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if soft == resource.RLIM_INFINITY else soft


def most_downloads() -> int:
    """Return how many downloads may be under way at once, at least one: half of the files that may
    still be opened are for them.
    """
    return max(_left() // 2 // _FILES_OF_A_DOWNLOAD, 1)


def most_workers() -> int:
    """Return how many worker processes may run at once, at least one: half of the files that may
    still be opened are for them.
    """
    return max(_left() // 2 // _FILES_OF_A_WORKER, 1)


def _left() -> int:
    with suppress(OSError):
        return open_files() - len(os.listdir("/proc/self/fd")) - _FOR_OTHERS  # noqa: PTH208
    return open_files() - 2 * _FOR_OTHERS
