"""A folder of originals: `original/0123/5123.png`, `0123/5123.png` or `5123.png`."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Self

from dafre_fast.core.errors import InputError
from dafre_fast.core.events import Notice, Tell, silent
from dafre_fast.core.layout import ORIGINALS, bucket
from dafre_fast.core.paths import to_text
from dafre_fast.core.reasons import Reason
from dafre_fast.core.records import Fetched, Sought
from dafre_fast.sources.candidates import Choice, begins_as_image, choose_file
from dafre_fast.sources.interface import Check, Planned, Take


class Tree:
    """Finds originals in a folder by id. Each subfolder is listed once.

    Which of several files of an id is its original, `sources.candidates` says; where two could be,
    `tell` gets a notice at the end. Raises InputError if `root` is not a folder.
    """

    def __init__(self, root: Path, check: Check, tell: Tell = silent) -> None:
        if not root.is_dir():
            raise InputError(f"{root}: not a folder (of originals, or of archives)")
        self._root, self._check, self._tell = root, check, tell
        self._unlisted = dict[Path, str]()
        self._names_in = cache(self._list)
        self._places = cache(self._find_places)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    def find(self, sought: Sought) -> Path | None:
        """Return the path of an original, or None if there is none."""
        place, choice = self._choose(sought)
        return place / choice.name if choice.name else None

    async def fetch(self, sought: Iterable[Sought], take: Take) -> None:
        doubtful, example = 0, ""
        for one in sought:
            place, choice = self._choose(one)
            if choice.others:
                doubtful += 1
                example = example or f"{place}: {choice.name} is taken, {choice.others[0]} is not"
            path = choice.name and to_text(f"{place}/{choice.name}")
            await take(one, Fetched(key=one.key, path=path) if path else self._missing(one.key))
        if doubtful:
            images = "1 image has" if doubtful == 1 else f"{doubtful:,} images have"
            self._tell(Notice(f"{images} several files that may be the original: {example}"))

    async def plan(
        self, sought: Iterable[Sought], take: Callable[[Sought, Planned | None], None]
    ) -> None:
        for one in sought:
            path = self.find(one)
            take(one, Planned(to_text(str(path)), path.stat().st_size) if path else None)

    def _choose(self, sought: Sought) -> tuple[Path, Choice]:
        """Return the first folder with an original, and the choice in it."""
        wanted = [sought.name] if sought.name else []
        wanted += [f"{sought.key}.{sought.extension}"] if sought.extension else []
        for place, names in self._named(sought.key):
            looks = partial(self._begins_as_image, place)
            choice = choose_file(names, wanted, looks)
            if choice.name:
                return place, choice
        return self._root, Choice(None)

    def _begins_as_image(self, place: Path, name: str) -> bool:
        return begins_as_image(f"{place}/{name}", self._check.head)

    def _named(self, key: str) -> Iterator[tuple[Path, list[str]]]:
        """Yield the files of an id in each folder that has some."""
        for place, names in self._places(bucket(int(key))):
            if key in names:
                yield place, names[key].split("/")

    def _missing(self, key: str) -> Fetched:
        for folder in self._possible_places(bucket(int(key))):
            if error := self._unlisted.get(folder):
                detail = f"{folder}: {error}"
                return Fetched(key=key, reason=Reason.UNREADABLE_ORIGINAL, detail=detail)
        detail = f"{key}.* not in {self._root}"
        if beside := [f"{place}/{name}" for place, names in self._named(key) for name in names]:
            detail = f"no image among {to_text(', '.join(beside))}"
        return Fetched(key=key, reason=Reason.MISSING_ORIGINAL, detail=detail)

    def _possible_places(self, folder: str) -> tuple[Path, ...]:
        return self._root / folder, self._root / ORIGINALS / folder, self._root

    def _find_places(self, folder: str) -> list[tuple[Path, dict[str, str]]]:
        """Return the folders that may hold originals of a bucket, each with its file names."""
        places = self._possible_places(folder)
        return [(place, names) for place in places if (names := self._names_in(place))]

    def _list(self, folder: Path) -> dict[str, str]:
        """Return file names by their part before the first dot, several of one id joined by `/`, in
        the order of the alphabet. Hidden files are left out.
        """
        try:
            listed = os.listdir(folder)  # noqa: PTH208  (only names are needed)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            self._unlisted[folder] = error.strerror or str(error)
            return {}
        names = dict[str, str]()
        for name in sorted(listed):
            key = name.partition(".")[0]
            if key:
                names[key] = f"{names[key]}/{name}" if key in names else name
        return names
