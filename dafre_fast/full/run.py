"""Run the whole journey: catalogue, labels, tags, originals, images, manifest, shards."""

from pathlib import Path

import msgspec
import polars as pl
from msgspec.structs import replace

from dafre_fast.core.atomic import digest
from dafre_fast.core.errors import UsageError
from dafre_fast.core.events import Doing, Tell, silent
from dafre_fast.core.layout import (
    BAD_ROWS,
    FULL,
    FUNNEL,
    LABELS,
    MANIFEST,
    ORIGINALS,
    SHARDS,
    STATE,
)
from dafre_fast.core.reasons import SUCCESS
from dafre_fast.core.settings.fetching import Fetching
from dafre_fast.core.settings.images import Recipe
from dafre_fast.core.settings.running import Running, part_of
from dafre_fast.core.settings.tables import Selection, Splitting
from dafre_fast.core.settings.tags import TagSteps
from dafre_fast.core.summaries import Step, Summary, TagsSummary, Work
from dafre_fast.dataset.ledger import NAME as LEDGER
from dafre_fast.dataset.manifest import manifest_of_ledger, rows_of, write_manifest
from dafre_fast.dataset.places import lies_in_shards
from dafre_fast.dataset.provenance import record_choice
from dafre_fast.dataset.spools import Spools
from dafre_fast.engine import parts
from dafre_fast.engine.apart import refuse_source
from dafre_fast.engine.inputs import open_metadata, open_originals, summarize, with_names
from dafre_fast.engine.observers import watching
from dafre_fast.engine.parts import Finishing, own_rows, sharing
from dafre_fast.engine.plan import ask_catalogue, buckets_of
from dafre_fast.engine.remaking import refuse_remaking
from dafre_fast.engine.run import make_all
from dafre_fast.full.settings import FullRun
from dafre_fast.pack.run import pack
from dafre_fast.pack.settings import PackRun
from dafre_fast.stats.settings import Plotting
from dafre_fast.tables.bad_rows import BadRows, write_bad_rows
from dafre_fast.tables.catalogue import read_catalogue
from dafre_fast.tables.funnel import write_funnel
from dafre_fast.tables.labels import write_labels
from dafre_fast.tables.protocol import record_protocol
from dafre_fast.tags.within_full import tag_tables


def full(
    run: FullRun,
    selection: Selection,
    splitting: Splitting,
    steps: TagSteps,
    plotting: Plotting,
    fetching: Fetching,
    recipe: Recipe,
    running: Running,
    tell: Tell = silent,
    identity: str | None = None,
) -> Summary:
    """The whole run: catalogue, labels, tags, originals, images, manifest, and shards where images
    are to lie in those. `identity` stands for the fingerprint of a source that has another address
    in each run.
    """
    assert run.faces
    assert run.source
    output, part = run.output, part_of(running)
    selection = splitting.complete(selection)
    spools = _spools(run, running)
    tell(Doing(f"reading {run.faces.name}"))
    catalogue = read_catalogue(run.faces, run.tag_ids, selection, splitting)
    folders = {one: output / one.tree for one in recipe.outputs}
    asked = ask_catalogue(catalogue.kept, folders)
    refuse_source(run.source, output, () if spools else folders.values(), buckets_of(asked))
    refuse_remaking(output, asked, recipe, running)
    tell(Doing("reading metadata"))
    metadata = open_metadata(run.source, fetching, own_rows(asked, running), selection)
    with sharing(output, running) as share:
        tell(Doing("writing labels"))
        record_protocol(output / LABELS, splitting, tell)
        write_labels(catalogue.kept, output / LABELS)
        write_funnel(catalogue.funnel, output / LABELS / FUNNEL)
        all_bad = pl.concat([catalogue.bad_rows, metadata.bad_rows])
        bad_rows = write_bad_rows(all_bad, output / BAD_ROWS)
        tags = None
        if run.tags and (part is None or part.number == 1):  # the same tables for all parts
            records = fetching.metadata
            tags = tag_tables(records, output, steps, plotting, tell, resume=running.resume)
        tables = [path for path in (run.faces, run.tag_ids) if path]
        if part is None or part.number == 1:
            made_with = steps if tags else None
            record_choice(output, tables, run.source, selection, fetching.metadata, made_with)
        with watching("images", tell) as watch:
            folder = output / ORIGINALS
            originals = open_originals(run.source, folder, fetching, metadata, watch.tell)
            originals = with_names(originals, run.faces)
            originals = originals._replace(identity=identity or originals.identity)
            manifest, work = make_all(asked, originals, recipe, running, output, watch, spools)
        shards = run.shard_size if spools else None
        facts = Facts(MANIFEST, catalogue.funnel, *bad_rows, shards, report=run.report)
        if not share:
            return _finish(output, manifest, work, facts, tags, running.workers, tell)
        summary = replace(bad_rows.added_to(summarize(manifest, work)), tags=tags)
        settings = {path.name: digest(path).sha256[:16] for path in tables} | {
            "selection": selection,
            "splitting": replace(splitting, splits=None),
            "recipe": recipe,
            "shard_size": shards,
        }
        rows = rows_of(asked.lazy(), recipe.outputs).collect()
        share.record("full", settings, rows, facts, summary)
        return summary


class Facts(parts.Facts, frozen=True):
    """What `full` knows of all images alike. `shard_size` is None if images are files."""

    shard_size: int | None = None
    report: bool = False


def finish(output: Path, done: Finishing, tell: Tell = silent) -> Summary:
    """Write manifest, shards and report of parts that are merged; return the whole's summary."""
    facts = msgspec.convert(done.plan.facts, Facts)
    recipe = msgspec.convert(done.plan.settings["recipe"], Recipe)
    manifest = manifest_of_ledger(output / STATE / LEDGER, done.rows, recipe.outputs)
    tags = msgspec.convert(done.summaries[0].get("tags"), TagsSummary | None)
    return _finish(output, manifest, done.work, facts, tags, None, tell)


def _finish(
    output: Path,
    manifest: pl.DataFrame,
    work: Work,
    facts: Facts,
    tags: TagsSummary | None,
    workers: int | None,
    tell: Tell,
) -> Summary:
    """Write the manifest, and shards if images lie in those; return the summary of the whole."""
    tell(Doing("writing the manifest"))
    write_manifest(manifest, output / MANIFEST)
    summary = summarize(manifest, work, [*facts.funnel, _made(manifest)])
    summary = replace(summary, tags=tags)
    if facts.shard_size and summary.success:
        into_shards = PackRun(output=output, shard_size=facts.shard_size, workers=workers)
        summary = replace(summary, packed=pack(into_shards, tell, digests=False))
    return BadRows(facts.bad_rows, facts.bad_rows_list).added_to(summary)


def _spools(run: FullRun, running: Running) -> Spools | None:
    """Return the spools of a run into shards, None for one into files.

    Raises UsageError if the images of earlier runs lie the other way.
    """
    output = run.output
    if run.pack and (output / FULL).exists():
        raise UsageError(f"{output / FULL}: images are files here; `pack` makes shards of them")
    if not run.pack and running.resume and lies_in_shards(output):
        raise UsageError(
            f"{output / SHARDS}: images lie in shards here; go on with --pack webdataset,"
            " or make files of all anew with --no-resume"
        )
    return Spools(output, run.shard_size, part_of(running)) if run.pack else None


def _made(manifest: pl.DataFrame) -> Step:
    made = manifest.filter(status=SUCCESS)
    return Step("made", made.height, made["class_id"].n_unique())
