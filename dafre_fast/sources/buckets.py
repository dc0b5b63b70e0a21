"""Originals in object stores: `s3://bucket/{bucket}/{id}.{ext}`, or the address of archives."""

from pathlib import Path

from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.addressed import addressed
from dafre_fast.sources.interface import Check, Source
from dafre_fast.sources.manners.hosts import Hosts
from dafre_fast.sources.transports.object_store import Objects


def open_bucket(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """Return the source for an address that begins with `s3://` or `gs://`."""
    transport = Objects(settings, Hosts(settings, tell))
    return addressed(spec, transport, folder, settings, check, tell)
