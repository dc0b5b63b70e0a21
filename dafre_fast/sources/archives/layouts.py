"""Layouts: the archives that an address means. One, a folder, one per bucket, or shards."""

import re
from collections.abc import Iterable
from itertools import chain, product
from math import prod
from pathlib import Path

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.layout import bucket
from dafre_fast.core.walk import Walk
from dafre_fast.sources.archives.desk import Archive, Desk
from dafre_fast.sources.archives.source import Tiers
from dafre_fast.sources.interface import SUFFIXES

_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000


def archive(address: str) -> Archive:
    """Return the archive at an address. A tar archive may have its index beside it, as `.json`."""
    index = address.removesuffix(".tar") + ".json" if address.endswith(".tar") else None
    return Archive(address, index)


def layout(address: str) -> "Anywhere | PerBucket":
    """Return the layout of an address with `{bucket}`, ranges like `{00000..00012}`, or neither.

    Raises UsageError for other fields, and for ranges of more than a million shards.
    """
    addresses = _expanded(address)
    return PerBucket(addresses) if "{" in addresses[0] else Anywhere(addresses)


def layout_of(path: Path) -> "Anywhere":
    """Return the layout of an archive, or of a folder of archives and all its subfolders.

    Raises InputError if there is no archive.
    """
    paths = sorted(path / name for name in Walk(path)) if path.is_dir() else [path]
    paths = [path for path in paths if path.name.endswith(SUFFIXES) and path.is_file()]
    if not paths:
        raise InputError(f"{path}: no archives are there ({', '.join(SUFFIXES)})")
    return Anywhere(map(str, paths))


class Anywhere:
    """Archives any of which may hold any original."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._tiers: Tiers = (tuple(map(archive, addresses)),)

    async def prepare(self, desk: Desk) -> None:
        """Do nothing: the addresses are known."""

    def tiers(self, image_id: int) -> Tiers:  # noqa: ARG002
        return self._tiers


class PerBucket:
    """Archives of one bucket each, or several shards of it."""

    def __init__(self, templates: list[str]) -> None:
        self._templates = templates
        try:
            self.tiers(1)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            message = f"--source {templates[0]!r}: archives have no field but {{bucket}} ({error})"
            raise UsageError(message) from error

    async def prepare(self, desk: Desk) -> None:
        """Do nothing: the addresses are known."""

    def tiers(self, image_id: int) -> Tiers:
        name = bucket(image_id)
        return (tuple(archive(template.format(bucket=name)) for template in self._templates),)


def _expanded(address: str) -> list[str]:
    """Expand ranges as shells and WebDataset do: numbers have as many digits as the first one.

    Raises UsageError for an empty range, and for more than a million shards.
    """
    texts = _NUMBERS.split(address)
    fixed, starts, stops = texts[::3], texts[1::3], texts[2::3]
    ranges = []
    for start, stop in zip(starts, stops, strict=True):
        numbers = range(int(start), int(stop) + 1)
        if not 0 < len(numbers) <= _MOST_SHARDS:
            raise UsageError(
                f"--source {address!r}: {{{start}..{stop}}} is not a range of 1 to"
                f" {_MOST_SHARDS:,} shards"
            )
        ranges.append([f"{number:0{len(start)}}" for number in numbers])
    if prod(map(len, ranges)) > _MOST_SHARDS:
        raise UsageError(f"--source {address!r}: more than {_MOST_SHARDS:,} shards")
    return [
        "".join(chain.from_iterable(zip(fixed, (*numbers, ""), strict=True)))
        for numbers in product(*ranges)
    ]
