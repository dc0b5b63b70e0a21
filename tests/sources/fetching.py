"""Originals through the source that an address means."""

from pathlib import Path

from dafre_fast.core.events import Event
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.pixels.damage import check_end
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose
from dafre_fast.sources.interface import Check


def ignore(_: Event) -> None:
    """Drop an event."""


async def fetching(
    source: str, folder: Path, *sought: str | Sought, settings: Fetching
) -> list[Fetched]:
    """Return the outcomes in the order in which they came."""
    found: list[Fetched] = []

    async def take(_: Sought, fetched: Fetched) -> None:
        found.append(fetched)

    known = [one if isinstance(one, Sought) else Sought(one) for one in sought]
    check = Check(head=sniff, whole=check_end)
    async with choose(source, folder, settings, check, ignore) as chosen:
        await chosen.fetch(known, take)
    return found
