"""Which source an address means, by what it looks like."""

from pathlib import Path

from dafre_fast.model.errors import UsageError
from dafre_fast.model.events import Tell
from dafre_fast.model.settings import Fetching
from dafre_fast.sources.arrival import Check
from dafre_fast.sources.layouts import archives_in, is_archive
from dafre_fast.sources.source import Source, Transport
from dafre_fast.sources.tree import Tree


def choose(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """The source that `--source` names; it fetches into `folder`.

    Raises UsageError for an address of no known kind.
    """
    # What a folder does not need is not imported for it: aiohttp is a fifth of the time that a
    # command takes to start.
    if spec.startswith("hf:"):
        from dafre_fast.sources.hub import hub_source

        return hub_source(spec, folder, settings, check, tell)
    if spec.startswith(("http://", "https://")):
        from dafre_fast.sources.hosts import Hosts
        from dafre_fast.sources.http import Http

        return addressed(spec, Http(settings, Hosts(settings, tell)), folder, settings, check, tell)
    if "://" in spec:
        raise UsageError(f"--source {spec!r}: only http://, https:// and folders are known")
    if finds_only(spec):
        return Tree(Path(spec).expanduser())
    from dafre_fast.sources.archives import Archives
    from dafre_fast.sources.layouts import layout, layout_of
    from dafre_fast.sources.local import Local

    path = Path(spec).expanduser()
    archives = layout(str(path)) if "{" in spec else layout_of(path)
    return Archives(archives, Local(), folder, settings, check, tell)


def addressed(
    spec: str,
    transport: Transport,
    folder: Path,
    settings: Fetching,
    check: Check,
    tell: Tell,
) -> Source:
    """One object per image, or archives, by what the address ends in."""
    from dafre_fast.sources.archives import Archives
    from dafre_fast.sources.layouts import layout
    from dafre_fast.sources.template import Template

    if is_archive(spec):
        return Archives(layout(spec), transport, folder, settings, check, tell)
    return Template(spec, transport, folder, settings, check, tell)


def finds_only(spec: str) -> bool:
    """True where originals are read in their place and nothing is fetched: a folder, not of
    archives.
    """
    path = Path(spec).expanduser()
    if "://" in spec or spec.startswith("hf:") or is_archive(spec):
        return False
    return not (path.is_dir() and archives_in(path))
