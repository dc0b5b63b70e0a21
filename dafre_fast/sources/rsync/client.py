"""The system's rsync as a child process, asked for files of one module of a daemon by name.

Names are always relative to the module, not to a folder in it: the daemon of rsync 3.5.0 takes all
files of a list below a folder for vanished where it runs without chroot.
"""

import asyncio
import math
import os
import re
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO
from urllib.parse import urlsplit

from dafre_fast.core.errors import DafreError, OutputError, SourceError, UsageError
from dafre_fast.core.reasons import Reason
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.manners.hosts import Hosts

_PORT = 873
_CHUNK_BYTES = 1 << 16
_KEPT_BYTES = 1 << 20
_PASSING = {
    10: Reason.NETWORK_ERROR,  # error in socket I/O
    12: Reason.NETWORK_ERROR,  # error in the protocol data stream: it broke off
    30: Reason.TOO_SLOW,  # timeout in data send or receive
    35: Reason.NETWORK_ERROR,  # timeout waiting for the daemon's connection
}
"""Exit statuses of rsync(1) after which another attempt may succeed."""
_PARTLY = {0, 23, 24}
"""All came, or some could not be read, or had vanished."""
_OURS = re.compile(r"^rsync: \[(?:receiver|generator)\] (.*)", re.MULTILINE)
"""What failed on this side."""


class RsyncClient:
    """Of the module at `rsync://host[:port]/module/`; what it brings comes to lie in `folder`.

    Raises UsageError where rsync is not installed or the address names no module.
    """

    def __init__(self, module: str, folder: Path, settings: Fetching, hosts: Hosts) -> None:
        self._module, self._folder = module, folder
        self._settings, self._hosts = settings, hosts
        try:
            url = urlsplit(module)
            self._host, self._port = url.hostname or "", url.port or _PORT
        except ValueError as error:
            raise UsageError(f"--source {module!r}: {error}") from error
        if not self._host or not url.path.strip("/"):
            raise UsageError(f"--source {module!r}: not rsync://host/module/…")
        if shutil.which("rsync") is None:
            raise UsageError(f"--source {module!r}: rsync is not installed")

    async def sizes(self, names: Iterable[str]) -> dict[str, int]:
        """Bytes of each that is there. Raises Passing, SourceError and OutputError."""
        found = dict[str, int]()
        with TemporaryDirectory() as empty:  # what lies there already is not listed
            await self._run(names, empty, found.__setitem__, "--dry-run")
        return found

    async def below(self, folders: Iterable[str], tell: Callable[[str, int], None]) -> None:
        """Tell of every file below these folders, its name and bytes. Raises as `sizes` does."""
        with TemporaryDirectory() as empty:
            await self._run(folders, empty, tell, "--dry-run", "--recursive")

    async def bring(self, names: Iterable[str], arrived: Callable[[str], Awaitable[None]]) -> str:
        """Files into the folder, and what rsync said of those that did not come.

        `arrived` is given the name of each but the last as soon as it is whole, at its own pace:
        rsync does not wait, or the daemon would take that for a broken connection. Raises as
        `sizes` does; what came before is there then.
        """
        whole = asyncio.Queue[str | None]()
        begun: list[str] = []

        def tell(name: str, _: int) -> None:
            # Files come one after another: when one begins, those before it are whole.
            while begun:
                whole.put_nowait(begun.pop())
            begun.append(name)

        async def run() -> str:
            try:
                return await self._run(names, self._folder, tell)
            finally:
                whole.put_nowait(None)

        running = asyncio.create_task(run())
        try:
            while (name := await whole.get()) is not None:
                await arrived(name)
            return await running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _run(
        self,
        names: Iterable[str],
        into: Path | str,
        tell: Callable[[str, int], None],
        *flags: str,
    ) -> str:
        """What it said of errors; `tell` is given the name and size of each file as it begins."""
        place = await self._hosts.find(self._host, self._port)
        async with self._hosts.turn(place) as turn:
            try:
                command = self._command(into, flags)
                status, said = await _carry_out(command, names, tell, self._settings.timeout)
                if failure := failure_of(status, said):
                    raise failure
            except Passing as passing:
                turn.failed()
                passing.detail = f"{self._module}: {passing.detail}"
                raise
            except OSError as error:
                raise OutputError(f"{into}: {error.strerror}") from error
            except (OutputError, SourceError) as error:
                raise type(error)(f"{self._module}: {error}") from error
            turn.succeeded()
            return said

    def _command(self, into: Path | str, flags: tuple[str, ...]) -> list[str]:
        seconds = math.ceil(self._settings.stall_timeout)
        return [
            "rsync",
            "--files-from=-",
            "--from0",
            "--ignore-missing-args",
            "--copy-links",  # the daemon's: what comes is a file
            "--chmod=D777,F666",  # less the umask, whatever they have there
            "--no-human-readable",
            "--8-bit-output",
            "--out-format=%l %n",
            "--no-motd",
            f"--timeout={seconds}",
            f"--contimeout={seconds}",
            *flags,
            "--",
            self._module,
            f"{into}/",
        ]


async def _carry_out(
    command: Sequence[str],
    names: Iterable[str],
    tell: Callable[[str, int], None],
    timeout_seconds: float,
) -> tuple[int, str]:
    """Exit status of rsync, and what it wrote to standard error. No process is left after it.

    Raises Passing where no line of a file comes for so long.
    """
    with TemporaryFile() as listed:
        write_names(listed, names)
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
                tell(name, int(size))
        return await process.wait(), await said
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it has a child
        raise
    finally:
        await asyncio.gather(process.wait(), said, return_exceptions=True)


async def _line(stdout: asyncio.StreamReader, timeout_seconds: float) -> bytes:
    try:
        async with asyncio.timeout(timeout_seconds):
            return await stdout.readline()
    except TimeoutError as error:
        raise Passing(Reason.DOWNLOAD_TIMEOUT, f"no file in {timeout_seconds:g} s") from error
    except ValueError as error:
        raise Passing(Reason.NETWORK_ERROR, "a line without end") from error


async def _beginning(stream: asyncio.StreamReader) -> str:
    """What is kept of text that is read to its end."""
    kept = b""
    while data := await stream.read(_CHUNK_BYTES):
        kept += data[: _KEPT_BYTES - len(kept)]
    return kept.decode(errors="replace")


def write_names(file: IO[bytes], names: Iterable[str]) -> None:
    """A list for `rsync --files-from=FILE --from0`."""
    file.writelines(name.encode() + b"\0" for name in names)


def failure_of(status: int, said: str) -> DafreError | None:
    """What an exit status of rsync means, and what it wrote to standard error; None where files
    came, or did not come for a reason of their own.
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
    return (OutputError if status == 11 else SourceError)(line)
