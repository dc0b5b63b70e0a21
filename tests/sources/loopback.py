"""Sources that fetch from raw servers on loopback, in the loop of the test."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from dafre_fast.core.events import Event, Tell
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check
from dafre_fast.testing.server import Play, Server

JPEG = b"\xff\xd8\xff\xda" + bytes(5000) + b"\xff\xd9"
OTHER_JPEG = b"\xff\xd8\xff\xda" + bytes(5001) + b"\xff\xd9"
WHOLE = Check(head=sniff, whole=check_end)
FAST = Fetching(retries=2, timeout=10.0, stall_timeout=5.0)
ONE = (Sought("7", extension="jpg"),)


def ignore(_: Event) -> None:
    """Ignore an event."""


def files(folder: Path) -> dict[str, bytes]:
    """All of them, hidden ones too, by relative path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


async def fetch(
    template: str,
    folder: Path,
    sought: Sequence[Sought] = ONE,
    settings: Fetching = FAST,
    tell: Tell = ignore,
) -> list[Fetched]:
    """The outcomes, in the order in which they came."""
    found: list[Fetched] = []

    async def take(_: Sought, fetched: Fetched) -> None:
        found.append(fetched)

    async with choose(template, folder, settings, WHOLE, tell) as source:
        await source.fetch(sought, take)
    return found


def fetch_from(
    server: Server,
    folder: Path,
    *sought: Sought,
    settings: Fetching = FAST,
    tell: Tell = ignore,
    host: str = "127.0.0.1",
) -> list[Fetched]:
    """Fetch from a server that runs until all outcomes are there."""

    async def main() -> list[Fetched]:
        async with server.on(host) as port:
            template = f"http://{f'[{host}]' if ':' in host else host}:{port}/{{id}}.{{ext}}"
            return await fetch(template, folder, sought or ONE, settings, tell)

    return asyncio.run(main())


def one_from(
    play: Play, folder: Path, *, known: Sought = ONE[0], settings: Fetching = FAST
) -> Fetched:
    """The outcome of one original, from a server that answers every request by `play`."""
    (fetched,) = fetch_from(Server(play, JPEG), folder, known, settings=settings)
    return fetched
