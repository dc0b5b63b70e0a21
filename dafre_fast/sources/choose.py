"""The table of sources: which one an address belongs to, by how it begins."""

import os
from collections.abc import Callable
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.identity import fingerprint
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
    variables: tuple[str, ...] = ()
    """Variables of the environment that decide what it answers: endpoints and logins."""


_OF_S3 = (
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AWS_ACCESS_KEY_ID",  # a wrong secret or session token ends the run, and refuses nothing
    "AWS_SKIP_SIGNATURE",
)
_OF_GOOGLE = (
    "GOOGLE_BASE_URL",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SKIP_SIGNATURE",
)
_OF_THE_HUB = ("HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_OF_RSYNC = ("RSYNC_PASSWORD", "RSYNC_PROXY")

TABLE = "table:"
"""The beginning of the source that asks for addresses of a table; the hash of the table follows."""
KINDS = (
    Kind("http(s)://", ("http://", "https://"), "dafre_fast.sources.web:open_web"),
    Kind("s3://", ("s3://",), "dafre_fast.sources.buckets:open_bucket", _OF_S3),
    Kind("gs://", ("gs://",), "dafre_fast.sources.buckets:open_bucket", _OF_GOOGLE),
    Kind("hf:", ("hf:",), "dafre_fast.sources.huggingface:hub_source", _OF_THE_HUB),
    Kind(
        "the addresses of --table",
        (TABLE,),
        "dafre_fast.sources.listed:open_listed",
        (*_OF_S3, *_OF_GOOGLE),
    ),
    Kind(
        "rsync://",
        ("rsync://",),
        "dafre_fast.sources.rsync.source:Rsync",
        _OF_RSYNC,
    ),
)
"""All kinds but paths. A new source is one file with an `Open`, and one row here."""


def choose(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """Return the source that `--source` names; it fetches into `folder`.

    Raises UsageError for an address of no known kind, and as the source's own `Open` does.
    """
    return _opener(spec)(spec, folder, settings, check, tell)


def identity(spec: str, settings: Fetching) -> str:
    """Return the fingerprint of the source that `--source` names (`sources.identity`)."""
    kind = _kind_of(spec)
    return fingerprint(spec, settings, kind.variables if kind else (), os.environ)


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
