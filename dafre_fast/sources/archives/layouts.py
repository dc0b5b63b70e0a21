"""Which archives an address means: one, a folder of them, one per bucket, or numbered shards."""

import re
from collections.abc import Iterable
from itertools import chain, product
from math import prod
from pathlib import Path

from dafre_fast.core.errors import InputError, UsageError
from dafre_fast.core.layout import bucket
from dafre_fast.sources.archives.desk import Archive, Desk
from dafre_fast.sources.archives.source import Tiers
from dafre_fast.sources.interface import SUFFIXES

_NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000


def archive(address: str) -> Archive:
    """One, and where the index of a tar archive may lie: beside it."""
    index = address.removesuffix(".tar") + ".json" if address.endswith(".tar") else None
    return Archive(address, index)


def layout(address: str) -> "Anywhere | PerBucket":
    """Of an address with `{bucket}`, ranges such as `{00000..00012}`, both or neither.

    Raises UsageError for other fields, and for ranges of more than a million shards.
    """
    addresses = _expanded(address)
    return PerBucket(addresses) if "{" in addresses[0] else Anywhere(addresses)


def layout_of(path: Path) -> "Anywhere":
    """Of a file, or of a folder of archives. Raises InputError where there is none."""
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    paths = [path for path in paths if path.name.endswith(SUFFIXES) and path.is_file()]
    if not paths:
        raise InputError(f"{path}: no archive is there")
    return Anywhere(map(str, paths))


class Anywhere:
    """Any original may lie in any of the archives."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._tiers: Tiers = (tuple(map(archive, addresses)),)

    async def prepare(self, desk: Desk) -> None:
        """Nothing has to be asked for."""

    def tiers(self, image_id: int) -> Tiers:  # noqa: ARG002
        return self._tiers


class PerBucket:
    """One archive, or several shards, for each `{bucket}`."""

    def __init__(self, templates: list[str]) -> None:
        self._templates = templates
        try:
            self.tiers(1)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            message = f"--source {templates[0]!r}: {{bucket}} is the field of archives ({error})"
            raise UsageError(message) from error

    async def prepare(self, desk: Desk) -> None:
        """Nothing has to be asked for."""

    def tiers(self, image_id: int) -> Tiers:
        name = bucket(image_id)
        return (tuple(archive(template.format(bucket=name)) for template in self._templates),)


def _expanded(address: str) -> list[str]:
    """Ranges written out, as shells and WebDataset have them: digits are those of the ends."""
    texts = _NUMBERS.split(address)
    fixed, starts, stops = texts[::3], texts[1::3], texts[2::3]
    ranges = []
    for start, stop in zip(starts, stops, strict=True):
        numbers = range(int(start), int(stop) + 1)
        if not 0 < len(numbers) <= _MOST_SHARDS:
            raise UsageError(f"--source {address!r}: {{{start}..{stop}}} is no range of shards")
        ranges.append([f"{number:0{len(start)}}" for number in numbers])
    if prod(map(len, ranges)) > _MOST_SHARDS:
        raise UsageError(f"--source {address!r}: more than {_MOST_SHARDS:,} shards")
    return [
        "".join(chain.from_iterable(zip(fixed, (*numbers, ""), strict=True)))
        for numbers in product(*ranges)
    ]
