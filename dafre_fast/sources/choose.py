"""Which source an address means, by what it looks like."""

import os
import re
from pathlib import Path

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addressed import addressed
from dafre_fast.sources.interface import SUFFIXES, Check, Source
from dafre_fast.sources.tree import Tree

_BUCKET = re.compile(r"\d{4}")


def choose(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """The source that `--source` names; it fetches into `folder`.

    Raises UsageError for an address of no known kind.
    """
    # What a folder does not need is not imported for it: aiohttp is a fifth of the time that a
    # command takes to start.
    if spec.startswith("hf:"):
        from dafre_fast.sources.huggingface import hub_source

        return hub_source(spec, folder, settings, check, tell)
    if spec.startswith(("http://", "https://")):
        from dafre_fast.sources.manners.hosts import Hosts
        from dafre_fast.sources.transports.http import Http

        return addressed(spec, Http(settings, Hosts(settings, tell)), folder, settings, check, tell)
    if spec.startswith(("s3://", "gs://")):
        from dafre_fast.sources.manners.hosts import Hosts
        from dafre_fast.sources.transports.object_store import Objects

        objects = Objects(settings, Hosts(settings, tell))
        return addressed(spec, objects, folder, settings, check, tell)
    if spec.startswith("rsync://"):
        from dafre_fast.sources.rsync.source import Rsync

        return Rsync(spec, folder, settings, check, tell)
    if "://" in spec:
        kinds = "http(s)://, s3://, gs://, hf:, rsync://, folders and archives"
        raise UsageError(f"--source {spec!r}: only {kinds} are known")
    if finds_only(spec):
        return Tree(Path(spec).expanduser())
    from dafre_fast.sources.archives.layouts import layout, layout_of
    from dafre_fast.sources.archives.source import Archives
    from dafre_fast.sources.transports.local_files import Local

    path = Path(spec).expanduser()
    archives = layout(str(path)) if "{" in spec else layout_of(path)
    return Archives(archives, Local(), folder, settings, check, tell)


def finds_only(spec: str) -> bool:
    """True where originals are read in their place and nothing is fetched: a folder, not of
    archives.
    """
    if "://" in spec or spec.startswith("hf:") or spec.endswith(SUFFIXES):
        return False
    return not _holds_archives(Path(spec).expanduser())


def _holds_archives(folder: Path) -> bool:
    """Directly, or in a folder that is no bucket: of originals there are too many to look at."""
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        inside = [entry for entry in entries if not entry.name.startswith(".")]
    folders = [Path(entry) for entry in inside if entry.is_dir()]
    return any(entry.name.endswith(SUFFIXES) for entry in inside) or any(
        entry.endswith(SUFFIXES)
        for path in folders
        if not _BUCKET.fullmatch(path.name)
        for entry in os.listdir(path)  # noqa: PTH208  (names alone are wanted)
    )
