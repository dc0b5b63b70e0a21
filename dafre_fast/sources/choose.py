"""The table of sources: which one an address belongs to, by how it begins."""

from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.interface import Check, Source
from dafre_fast.sources.local import means_archives, open_local

Open = Callable[[str, Path, Fetching, Check, Tell], Source]
"""Return the source for an address. Takes the address, the folder for what is fetched, settings,
checks, and a function that receives events. Raises UsageError for an address that it cannot read.
"""


class Kind(NamedTuple):
    """One kind of source."""

    name: str
    """Name in messages: how its addresses begin."""
    prefixes: tuple[str, ...]
    """Beginnings of its addresses."""
    opener: str
    """An `Open`, as `module:name`. Imported on first use: aiohttp alone is a fifth of the time in
    which a command starts.
    """


KINDS = (
    Kind("http(s)://", ("http://", "https://"), "dafre_fast.sources.web:open_web"),
    Kind("s3://", ("s3://",), "dafre_fast.sources.buckets:open_bucket"),
    Kind("gs://", ("gs://",), "dafre_fast.sources.buckets:open_bucket"),
    Kind("hf:", ("hf:",), "dafre_fast.sources.huggingface:hub_source"),
    Kind("rsync://", ("rsync://",), "dafre_fast.sources.rsync.source:Rsync"),
)
"""All kinds but paths. A new source is one file with an `Open`, and one row here."""


def choose(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """Return the source that `--source` names; it fetches into `folder`.

    Raises UsageError for an address of no known kind, and as the source's own `Open` does.
    """
    return _opener(spec)(spec, folder, settings, check, tell)


def finds_only(spec: str) -> bool:
    """Return whether originals are read where they are: `spec` is a folder without archives."""
    return _kind_of(spec) is None and "://" not in spec and not means_archives(spec)


def _kind_of(spec: str) -> Kind | None:
    return next((kind for kind in KINDS if spec.startswith(kind.prefixes)), None)


def _opener(spec: str) -> Open:
    if kind := _kind_of(spec):
        opener: Open = resolve_name(kind.opener)
        return opener
    if "://" in spec:
        names = ", ".join(kind.name for kind in KINDS)
        raise UsageError(f"--source {spec!r}: only {names}, folders and archives are known")
    return open_local
