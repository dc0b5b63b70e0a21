"""Ask a module of an rsync daemon for files by name: their sizes, their list, or the files.

Names are always relative to the module, not to a folder in it: the daemon of rsync 3.5.0 reports
all files of a list below a folder as vanished if it runs without chroot.
"""

import asyncio
import math
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from dafre_fast.core.errors import OutputError, SourceError, UsageError
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import Passing
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.rsync.exit_status import failure_of
from dafre_fast.sources.rsync.process import run_rsync

_PORT = 873


class RsyncClient:
    """A client of the module at `rsync://host[:port]/module/`; fetches files into `folder`.

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
        """Return the size in bytes of each of these files that exists.

        Raises Passing, SourceError and OutputError.
        """
        found = dict[str, int]()
        with TemporaryDirectory() as empty:  # rsync does not list what is up to date there
            await self._run(names, empty, found.__setitem__, "--dry-run")
        return found

    async def list_below(self, folders: Iterable[str], take: Callable[[str, int], None]) -> None:
        """Give `take` the name and size of every file below these folders.

        Raises as `sizes` does.
        """
        with TemporaryDirectory() as empty:
            await self._run(folders, empty, take, "--dry-run", "--recursive")

    async def fetch(self, names: Iterable[str], arrived: Callable[[str], Awaitable[None]]) -> str:
        """Fetch files into the folder; return what rsync wrote about those that did not come.

        `arrived` is given the name of each file but the last as soon as it is whole, at its own
        pace: rsync does not wait, or the daemon would take that for a broken connection. Raises as
        `sizes` does; files that came before stay in the folder.
        """
        whole = asyncio.Queue[str | None]()
        begun: list[str] = []

        def begins(name: str, _: int) -> None:
            # Files come one after another: when one begins, those before it are whole.
            while begun:
                whole.put_nowait(begun.pop())
            begun.append(name)

        async def run() -> str:
            try:
                return await self._run(names, self._folder, begins)
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
        begins: Callable[[str, int], None],
        *flags: str,
    ) -> str:
        """Run rsync once, in a turn at its host; return what it wrote to standard error."""
        place = await self._hosts.find(self._host, self._port)
        async with self._hosts.turn(place) as turn:
            try:
                command = self._command(into, flags)
                status, said = await run_rsync(command, names, begins, self._settings.timeout)
                if failure := failure_of(status, said):
                    raise failure
            except Passing as passing:
                turn.failed(passing)
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
            "--copy-links",  # the daemon's: files are what comes
            "--chmod=D777,F666",  # less the umask, whatever modes they have there
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
