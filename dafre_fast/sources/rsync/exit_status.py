"""Interpret the exit status of rsync and its messages on standard error.

Statuses: rsync(1), EXIT VALUES.
"""

import re

from dafre_fast.core.errors import DafreError, OutputError, Refusal, SourceError
from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.effort import Passing

_PASSING = {
    10: Reason.NETWORK_ERROR,  # error in socket I/O
    12: Reason.NETWORK_ERROR,  # error in the protocol data stream: it broke off
    30: Reason.TOO_SLOW,  # timeout in data send or receive
    35: Reason.NETWORK_ERROR,  # timeout waiting for the daemon's connection
}
"""Statuses after which another attempt may succeed."""
_PARTLY = {0, 23, 24}
"""Statuses after which all files came, or some could not be read or had vanished."""
_FILE_IO = 11
_OURS = re.compile(r"^rsync: \[(?:receiver|generator)\] (.*)", re.MULTILINE)
"""A line about what failed on this side."""


def failure_of(status: int, said: str) -> DafreError | None:
    """Return the error that a run of rsync ended in, by its exit status and standard error.

    None: all files came, or each that did not has a line of its own (`why_not`). Passing: another
    attempt may succeed. OutputError: nothing can be written here. SourceError: anything else.
    """
    line = next(filter(None, said.splitlines()), f"rsync ended with status {status}")
    line = line.removeprefix("rsync: ")
    if status in _PARTLY:
        ours = _OURS.search(said)
        return OutputError(ours[1]) if ours else None
    if "getaddrinfo" in said:
        return Passing(Reason.DNS_ERROR, line)
    if status in _PASSING:
        return Passing(_PASSING[status], line)
    if "try again later" in said:  # max connections reached
        return Passing(Reason.SERVER_ERROR, line)
    if "auth failed" in line:
        line += "; put USER@ before the host in --source, and set RSYNC_PASSWORD"
    return (OutputError if status == _FILE_IO else SourceError)(line)


def why_not(name: str, address: str, said: str) -> Refusal:
    """Return why a file that was listed did not come, by the line that rsync wrote about it."""
    about_it = re.compile(rf'["/]{re.escape(name)}"')
    line = next(filter(about_it.search, said.splitlines()), "")
    if "Permission denied" in line:
        return Refusal(Reason.FORBIDDEN, f"{address}: {line}")
    if "vanished" in line:
        return Refusal(Reason.NOT_FOUND, f"{address}: {line}")
    return Refusal(Reason.SERVER_ERROR, f"{address}: {line or 'it was listed and did not come'}")
