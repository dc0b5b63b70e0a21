"""Originals on this machine: a folder of them, read where they are, or archives."""

import os
import re
from pathlib import Path

from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import SUFFIXES, Check, Source
from dafre_fast.sources.tree import Tree

_BUCKET = re.compile(r"\d{4}")


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

    Buckets (`0123`) are not searched: they hold originals, too many to list.
    """
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        inside = [entry for entry in entries if not entry.name.startswith(".")]
    folders = [Path(entry) for entry in inside if entry.is_dir()]
    return any(entry.name.endswith(SUFFIXES) for entry in inside) or any(
        entry.endswith(SUFFIXES)
        for path in folders
        if not _BUCKET.fullmatch(path.name)
        for entry in os.listdir(path)  # noqa: PTH208  (only names are needed)
    )
