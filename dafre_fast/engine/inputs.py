"""Open the inputs that several commands share: metadata and originals."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Tell
from dafre_fast.core.limits import most_downloads
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.fetching import Fetching, sharers_of
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Step, Summary, Work
from dafre_fast.engine.judge import Judge
from dafre_fast.engine.originals import Originals
from dafre_fast.pixels.sniff import sniff
from dafre_fast.sources.choose import choose, finds_only, identity
from dafre_fast.sources.interface import Check
from dafre_fast.tables.faces import names_in
from dafre_fast.tables.metadata import Metadata, read_metadata

CHECK = Check(head=sniff, whole=Judge())
"""The checks that originals must pass."""


def open_metadata(
    source: str, fetching: Fetching, asked: pl.DataFrame, selection: Selection
) -> Metadata:
    """Read what the metadata files know of the images in `asked` (its column `key`).

    Raises UsageError if `source` needs metadata that are not given, InputError if they cannot be
    read.
    """
    if "{md5" in source and not fetching.metadata:
        raise UsageError(f"--source {source!r} has {{md5}}, which only --metadata can fill")
    if "{name" in source:
        raise UsageError(f"--source {source!r} has {{name}}, which only `lists` can fill")
    return read_metadata(fetching.metadata, asked["key"], selection.max_bad_rows)


def open_originals(
    source: str, folder: Path, fetching: Fetching, metadata: Metadata, tell: Tell
) -> Originals:
    """Open the source of originals that `source` (`--source`) names; it fetches into `folder`.

    Raises UsageError if it is of no known kind, InputError if a list of archives cannot be read.
    """
    shared = fetching.connections // sharers_of(fetching)
    fetching = replace(fetching, connections=max(min(shared, most_downloads()), 1))
    chosen = choose(source, folder, fetching, CHECK, tell)
    return Originals(
        chosen,
        None if finds_only(source) else folder,
        metadata.known,
        identity=identity(source, fetching),
        give_up=fetching.give_up,
    )


def with_names(originals: Originals, faces: Path) -> Originals:
    """Add the names that faces.tsv has for originals, if these are looked for in a folder; servers
    may have others. Raises InputError if the table cannot be read.
    """
    return originals if originals.folder else originals._replace(names=names_in(faces))


def summarize(manifest: pl.DataFrame, work: Work, funnel: Sequence[Step] = ()) -> Summary:
    """Count the outcomes of a manifest."""
    counts = dict(manifest["status"].value_counts().iter_rows())
    success = counts.pop(SUCCESS, 0)
    return Summary(manifest.height, success, counts, work, funnel)
