"""List the files of a module of an rsync daemon."""

from collections.abc import Iterable
from pathlib import Path
from typing import IO

from dafre_fast.core.errors import Refusal, SourceError, UsageError
from dafre_fast.core.events import Event
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.manners.effort import Budget, Effort
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.rsync.client import RsyncClient
from dafre_fast.sources.rsync.names import split_module


async def list_files(
    source: str, folders: Iterable[str], file: IO[bytes], settings: Fetching
) -> None:
    """Write a line for every file in these folders of `rsync://host/module[/folder]`.

    A line is the path of the file relative to the source. Raises UsageError as `RsyncClient` does,
    SourceError and OutputError.
    """
    module, folder = split_module(source)
    if "{" in source or {".", ".."} & {*folder.split("/")}:
        raise UsageError(f"--source {source!r}: not rsync://host/module[/folder]; name --files")
    prefix = f"{folder.strip('/')}/".removeprefix("/")
    names = [prefix + name for name in folders]
    client = RsyncClient(module, Path(), settings, Hosts(settings, _ignore))

    def write(name: str, _: int) -> None:
        file.write(name.removeprefix(prefix).encode(errors="replace") + b"\n")

    async def attempt() -> None:
        file.seek(0)
        file.truncate()
        await client.list_below(names, write)

    try:
        await Effort(settings, Budget.of(settings), _ignore).persist(module, attempt)
    except Refusal as refusal:
        raise SourceError(str(refusal)) from refusal


def _ignore(_: Event) -> None:
    """Drop an event: nobody listens."""
