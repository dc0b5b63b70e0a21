"""Choose the source for an address (scheme://…): archives, or one object per image."""

from pathlib import Path

from dafre_fast.core.events import Tell
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.sources.archives.layouts import layout
from dafre_fast.sources.archives.source import Archives
from dafre_fast.sources.interface import SUFFIXES, Check, Source, Transport
from dafre_fast.sources.template import Template


def addressed(
    spec: str,
    transport: Transport,
    folder: Path,
    settings: Fetching,
    check: Check,
    tell: Tell,
) -> Source:
    """Return archives if the address ends like one, else one object per image."""
    if spec.partition("?")[0].endswith(SUFFIXES):
        return Archives(layout(spec), transport, folder, settings, check, tell)
    return Template(spec, transport, folder, settings, check, tell)
