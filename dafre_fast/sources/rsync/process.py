"""Run the system's rsync as a child process, and read what it says while it runs."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import NamedTuple

from dafre_fast.core.reasons import Reason
from dafre_fast.sources.manners.effort import Passing

_CHUNK_BYTES = 1 << 16
_KEPT_BYTES = 1 << 20


class Ended(NamedTuple):
    """The end of a run of rsync."""

    status: int
    """Exit status; negative: the number of the signal that killed it."""
    said: str
    """Its standard error, the first MiB of it."""


async def run_rsync(
    command: Sequence[str],
    names: Iterable[str],
    begins: Callable[[str, int], None],
    timeout_seconds: float,
) -> Ended:
    """Run a command with `--files-from=- --from0 --out-format=%l %n` on a list of names.

    `begins` is called with the name and size in bytes of each file as rsync begins it. No process
    is left afterwards. Raises Passing if no file begins for `timeout_seconds`, OSError.
    """
    with TemporaryFile() as listed:
        listed.writelines(name.encode() + b"\0" for name in names)
        listed.seek(0)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=listed,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"RSYNC_PASSWORD": "", **os.environ},  # or it might ask for one
            start_new_session=True,  # Ctrl-C in a terminal is for this process alone
        )
    assert process.stdout is not None
    assert process.stderr is not None
    said = asyncio.create_task(_beginning(process.stderr))
    try:
        while line := await _line(process.stdout, timeout_seconds):
            size, _, name = line.decode(errors="replace").rstrip("\n").partition(" ")
            if size.isdecimal() and not name.endswith("/"):
                begins(name, int(size))
        return Ended(await process.wait(), await said)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it has a child
        raise
    finally:
        await asyncio.gather(process.wait(), said, return_exceptions=True)


async def _line(stdout: asyncio.StreamReader, timeout_seconds: float) -> bytes:
    """Read a line, empty at the end of the stream. Raises Passing if none comes in time."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await stdout.readline()
    except TimeoutError as error:
        raise Passing(Reason.DOWNLOAD_TIMEOUT, f"no file for {timeout_seconds:g} s") from error
    except ValueError as error:
        raise Passing(Reason.NETWORK_ERROR, "rsync wrote a line without end") from error


async def _beginning(stream: asyncio.StreamReader) -> str:
    """Read a stream to its end and return the first MiB of it."""
    kept = b""
    while data := await stream.read(_CHUNK_BYTES):
        kept += data[: _KEPT_BYTES - len(kept)]
    return kept.decode(errors="replace")
