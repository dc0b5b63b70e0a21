"""Download the files on a list."""

import polars as pl
from msgspec.structs import replace

from dafre_fast.core.events import Tell
from dafre_fast.core.layout import SMALL
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.running import Running
from dafre_fast.core.summaries import Lists, Summary
from dafre_fast.dataset.manifest import write_manifest
from dafre_fast.engine.fetch import fetch_all
from dafre_fast.engine.inputs import open_originals, summarize
from dafre_fast.engine.observers import watching
from dafre_fast.lists.settings import ListsRun
from dafre_fast.tables.metadata import NOTHING, Metadata


def fetch_listed(
    found: Lists,
    files: pl.DataFrame,
    run: ListsRun,
    metadata: Metadata,
    fetching: Fetching,
    running: Running,
    tell: Tell,
) -> Lists:
    """Download the files of a list (`lists.file_lists.FileList.rows`) in the trees `run.sizes`, and
    write a manifest for each tree. Return `found` with the summaries of the downloads.
    """
    assert run.source is not None
    source = run.source if "{name}" in run.source else f"{run.source.rstrip('/')}/{{name}}"
    fetched = dict[str, Summary]()
    for tree in dict.fromkeys(run.sizes):
        folder, told = (run.small, NOTHING) if tree == SMALL else (run.originals, metadata)
        listed = files.filter(tree=tree).with_columns(key=pl.col("id").cast(pl.String))
        names = listed.lazy().select("key", "extension", "name")
        known = names.drop("name").join(told.known.drop("extension"), on="key", how="left")
        with watching(tree, tell) as watch:
            originals = open_originals(source, folder, fetching, told, watch.tell)
            originals = originals._replace(known=known, names=names.drop("extension"))
            manifest, work = fetch_all(listed.select("key"), originals, running, folder, watch)
        write_manifest(manifest, run.output / f"{tree}.parquet")
        fetched[tree] = summarize(manifest, work)
    return replace(found, fetched=fetched)
