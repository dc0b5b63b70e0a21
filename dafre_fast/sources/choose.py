"""Which source an address means, by what it looks like."""

from pathlib import Path

from dafre_fast.model.errors import UsageError
from dafre_fast.model.events import Tell
from dafre_fast.model.settings import Fetching
from dafre_fast.sources.arrival import Check
from dafre_fast.sources.source import Source
from dafre_fast.sources.tree import Tree


def choose(spec: str, folder: Path, settings: Fetching, check: Check, tell: Tell) -> Source:
    """The source that `--source` names; it fetches into `folder`.

    Raises UsageError for an address of no known kind.
    """
    if spec.startswith(("http://", "https://")):
        # Not imported for a folder: aiohttp is a fifth of the time that a command takes to start.
        from dafre_fast.sources.hosts import Hosts
        from dafre_fast.sources.http import Http
        from dafre_fast.sources.template import Template

        transport = Http(settings, Hosts(settings, tell))
        return Template(spec, transport, folder, settings, check, tell)
    if spec.startswith(("s3://", "gs://")):
        from dafre_fast.sources.hosts import Hosts
        from dafre_fast.sources.objects import Objects
        from dafre_fast.sources.template import Template

        objects = Objects(settings, Hosts(settings, tell))
        return Template(spec, objects, folder, settings, check, tell)
    if spec.startswith("rsync://"):
        from dafre_fast.sources.rsync import Rsync

        return Rsync(spec, folder, settings, check, tell)
    if "://" in spec:
        raise UsageError(
            f"--source {spec!r}: only http(s)://, s3://, gs://, rsync:// and folders are known"
        )
    return Tree(Path(spec).expanduser())


def finds_only(spec: str) -> bool:
    """True where originals are read in their place and nothing is fetched: a folder."""
    return "://" not in spec and Path(spec).expanduser().is_dir()
