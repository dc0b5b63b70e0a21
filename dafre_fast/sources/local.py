"""Originals on this machine: a folder of them, read where they are, or archives."""

import os
import re
from contextlib import suppress
from pathlib import Path

from dafre_fast.core.events import Tell
from dafre_fast.core.formats import EXTENSIONS
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.walk import is_folder
from dafre_fast.sources.interface import SUFFIXES, Check, Source
from dafre_fast.sources.tree import Tree

_BUCKET = re.compile(r"\d{4}")
_IMAGE = re.compile(rf"\d+\.(?:{'|'.join(EXTENSIONS)})", re.IGNORECASE)


def open_local(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """Return the source for a path: `Tree` for a folder of originals, else `Archives`."""
    path = Path(spec).expanduser()
    if not means_archives(spec):
        return Tree(path, check, tell)
    # Imported when needed: reading a tree needs nothing that downloads do.
    from dafre_fast.sources.archives.layouts import layout, layout_of
    from dafre_fast.sources.archives.source import Archives
    from dafre_fast.sources.transports.local_files import Local

    archives = layout(str(path)) if "{" in spec else layout_of(path)
    return Archives(archives, Local(), folder, settings, check, tell)


def means_archives(spec: str) -> bool:
    """Return whether a path names an archive, or a folder with archives in it."""
    return spec.endswith(SUFFIXES) or _holds_archives(Path(spec).expanduser())


def _holds_archives(folder: Path) -> bool:
    """Return whether there are archives in a folder or one level below.

    Buckets (`0123`) are not searched: they hold originals, too many to list. Folders that cannot be
    listed hold nothing.
    """
    if not folder.is_dir():
        return False
    inside = _listed(folder)
    return _has_archives(inside) or any(
        _has_archives(_listed(folder / entry.name))
        for entry in inside
        if not _BUCKET.fullmatch(entry.name) and is_folder(entry)
    )


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]
    return []


def _has_archives(entries: list[os.DirEntry[str]]) -> bool:
    """Return whether archives are among these files. Beside images named by an id, archives that
    are named so are originals: films of single pictures.
    """
    names = [entry.name for entry in entries]
    archives = [name for name in names if name.endswith(SUFFIXES)]
    named = [name for name in archives if not name.partition(".")[0].isdecimal()]
    return bool(named) or (bool(archives) and not any(map(_IMAGE.fullmatch, names)))
