"""A folder of originals: `original/0123/5123.png`, `0123/5123.png` or `5123.png`."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Self

from dafre_fast.core.errors import InputError
from dafre_fast.core.layout import ORIGINALS, bucket
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.sources.interface import Planned, Take


class Tree:
    """Finds originals in a folder by id, with any extension. Each subfolder is listed once.

    Raises InputError if `root` is not a folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise InputError(f"{root}: not a folder (of originals, or of archives)")
        self._root = root
        self._names_in = cache(_names_in)
        self._places = cache(self._find_places)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    def find(self, key: str) -> Path | None:
        """Return the path of an original, or None if there is none."""
        for place, names in self._places(bucket(int(key))):
            if name := names.get(key):
                return place / name
        return None

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        for one in sought:
            await take(one, self._found(one.key))

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        for one in sought:
            path = self.find(one.key)
            take(one, Planned(str(path), path.stat().st_size) if path else None)

    def _found(self, key: str) -> Fetched:
        path = self.find(key)
        if path is None:
            detail = f"{key}.* not in {self._root}"
            return Fetched(key=key, reason=Reason.MISSING_ORIGINAL, detail=detail)
        return Fetched(key=key, path=str(path))

    def _find_places(self, folder: str) -> list[tuple[Path, dict[str, str]]]:
        """Return the folders that may hold originals of a bucket, each with its file names."""
        places = self._root / folder, self._root / ORIGINALS / folder, self._root
        return [(place, names) for place in places if (names := self._names_in(place))]


def _names_in(folder: Path) -> dict[str, str]:
    """Return file names by their part before the first dot; the first of two in the alphabet.

    Hidden files are left out. A folder that cannot be listed has no files.
    """
    try:
        names = sorted(os.listdir(folder), reverse=True)  # noqa: PTH208  (only names are needed)
    except OSError:
        return {}
    return {name.partition(".")[0]: name for name in names if not name.startswith(".")}
