"""Fetch the originals of a table, or say what would be fetched."""

from pathlib import Path

import msgspec
import polars as pl

from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Notice, Tell, silent
from dafre_fast.core.layout import BAD_ROWS, STATE
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.running import Running
from dafre_fast.core.settings.tables import AnyTable, Selection
from dafre_fast.core.summaries import Simulation, Summary
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import further_columns, manifest_of_originals, write_manifest
from dafre_fast.dataset.outcomes import last_outcomes
from dafre_fast.download.settings import DownloadRun, Listing
from dafre_fast.engine.apart import refuse_manifest, refuse_source
from dafre_fast.engine.fetch import fetch_all
from dafre_fast.engine.inputs import open_metadata, open_originals, summarize
from dafre_fast.engine.observers import watching
from dafre_fast.engine.parts import Facts, Finishing, own_rows, sharing
from dafre_fast.engine.rows import NO_TABLE, Rows, read_rows, refuse_beside_table
from dafre_fast.engine.simulate import simulate_all
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows


def refuse_unfit(
    listing: Listing,
    table: AnyTable,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
) -> None:
    """Refuse inputs of which some are missing or do not go together. Raises UsageError."""
    refuse_beside_table(table, listing.faces, selection, fetching)
    if table.table is None and not (listing.faces and run.source):
        missing = "--source" if listing.faces else "--faces"
        raise UsageError(f"{missing} is needed, or --table")


def download(
    faces: Path | None,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
    running: Running,
    tell: Tell = silent,
    table: AnyTable = NO_TABLE,
) -> Summary:
    """Fetch the originals of the kept rows of faces.tsv, or of a table of addresses, into
    `run.output`.

    Raises InputError, UsageError, OutputError or SourceError, as `engine.fetch.fetch_all` does.
    """
    if run.source:
        refuse_source(run.source, run.output)
    tables = [Path(one) for one in (faces, table.table) if one]
    refuse_manifest(run.manifest, [*tables, *fetching.metadata])
    rows = read_rows(faces, None, table, run.source, selection, (), tell)
    asked = _asked(rows)
    tell(Doing("reading metadata"))
    metadata = open_metadata(rows.source, fetching, own_rows(asked, running), selection)
    all_bad = pl.concat([rows.catalogue.bad_rows, metadata.bad_rows])
    with sharing(run.output, running) as share, watching("originals", tell) as watch:
        originals = open_originals(rows.source, run.output, fetching, metadata, watch.tell)
        originals = rows.named(originals) if rows.listed else originals
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


def _asked(rows: Rows) -> pl.DataFrame:
    """Return the `key` of each row, and the columns that only a table of addresses has."""
    kept = rows.catalogue.kept
    further = further_columns(kept.columns) if rows.listed else []
    return kept.select(*further, key=pl.col("id").cast(pl.String))


def simulate(
    faces: Path | None,
    run: DownloadRun,
    selection: Selection,
    fetching: Fetching,
    running: Running,
    table: AnyTable = NO_TABLE,
) -> Simulation:
    """Return what `download` would do; nothing is written, and no original is asked for."""
    if run.source:
        refuse_source(run.source, run.output)
    rows = read_rows(faces, None, table, run.source, selection, (), silent)
    asked = _asked(rows)
    metadata = open_metadata(rows.source, fetching, asked, selection)
    originals = open_originals(rows.source, run.output, fetching, metadata, silent)
    originals = rows.named(originals) if rows.listed else originals
    return simulate_all(asked, originals, running, run.output)
