"""Fetch the originals of a table, or say what would be fetched."""

from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, STATE
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import Selection
from dafre_fast.core.summaries import Simulation, Summary
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import manifest_of_originals, write_manifest
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.download.settings import DownloadRun
from dafre_fast.engine.apart import refuse_manifest, refuse_source
from dafre_fast.engine.fetch import fetch_all
from dafre_fast.engine.inputs import open_metadata, open_originals, summarize
from dafre_fast.engine.observers import watching
from dafre_fast.engine.parts import Facts, Finishing, own_rows, sharing
from dafre_fast.engine.simulate import simulate_all
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows
from dafre_fast.tables.catalogue import read_catalogue


def download(
    faces: Path,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
    running: Running,
    tell: Tell = silent,
) -> Summary:
    """Fetch the originals of the kept rows of faces.tsv into `run.output`.

    Raises InputError, UsageError, OutputError or SourceError, as `engine.fetch.fetch_all` does.
    """
    refuse_source(run.source, run.output)
    refuse_manifest(run.manifest, [faces, *fetching.metadata])
    tell(Doing(f"reading {faces.name}"))
    catalogue = read_catalogue(faces, None, selection)
    asked = catalogue.kept.select(key=pl.col("id").cast(pl.String))
    tell(Doing("reading metadata"))
    metadata = open_metadata(run.source, fetching, own_rows(asked, running), selection)
    all_bad = pl.concat([catalogue.bad_rows, metadata.bad_rows])
    with sharing(run.output, running) as share, watching("originals", tell) as watch:
        originals = open_originals(run.source, run.output, fetching, metadata, watch.tell)
        bad_rows = write_bad_rows(all_bad, run.output / STATE / BAD_ROWS)
        if originals.folder is None:
            tell(Notice(f"--source {run.source} is a folder here: nothing is copied out of it"))
        manifest, work = fetch_all(asked, originals, running, run.output, watch)
        summary = bad_rows.added_to(summarize(manifest, work))
        if share:
            facts = Facts(share.place(run.manifest), (), *bad_rows)
            share.record("download", {"selection": selection}, asked, facts, summary)
            return summary
    if run.manifest:
        write_manifest(manifest, run.manifest)
    return summary


def finish(output: Path, done: Finishing, _tell: Tell = silent) -> Summary:
    """Write the manifest of a download whose parts are merged; return the summary of the whole."""
    facts = msgspec.convert(done.plan.facts, Facts)
    fetched = last_outcomes(output / STATE / LEDGER, "fetch")
    manifest = manifest_of_originals(done.rows.lazy(), fetched).collect()
    if facts.manifest:
        write_manifest(manifest, output / facts.manifest)
    summary = summarize(manifest, done.work)
    return BadRows(facts.bad_rows, facts.bad_rows_list).added_to(summary)


def simulate(
    faces: Path, run: DownloadRun, selection: Selection, fetching: Fetching, running: Running
) -> Simulation:
    """Return what `download` would do; nothing is written, and no original is asked for."""
    refuse_source(run.source, run.output)
    catalogue = read_catalogue(faces, None, selection)
    asked = catalogue.kept.select(key=pl.col("id").cast(pl.String))
    metadata = open_metadata(run.source, fetching, asked, selection)
    originals = open_originals(run.source, run.output, fetching, metadata, silent)
    return simulate_all(asked, originals, running, run.output)
